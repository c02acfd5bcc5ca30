"""Calls through a real Asterisk."""

"""Tests of the simulated Asterisk."""

#!/usr/bin/python3
"""Asterisk starts this for each call; what happens in it stands in the package beside it."""

from pystrix_typed import agi

from my_agi.flow import take_call

with agi.AGI() as session:
    take_call(session)

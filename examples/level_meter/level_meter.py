#!/usr/bin/env python3
"""A level meter: how loud the caller is, and whether that is speech, while GET DATA waits for keys.

Many callers say their number instead of keying it in. This script notices, and tells them. Put it
into Asterisk's folder for AGI scripts, make it executable, and call it with EAGI, not AGI::

    exten => 610,1,Answer()
     same => n,EAGI(level_meter.py)
     same => n,NoOp(entered ${ENTERED}, spoke for ${SPOKEN} s, up to ${LOUDEST} dBFS)
     same => n,Hangup()

A bar for every fifth of a second goes to stderr, which is the console of an ``asterisk -c``.
"""

from __future__ import annotations

import sys
from threading import Thread

from pystrix_typed import agi
from pystrix_typed.agi import core

VOICE = -40.0
"""dBFS: louder is speech, or a noisy street."""
SPEAKING = 0.5
"""Seconds of it."""
TRIES = 3


class Meter(Thread):
    """Listens until the audio ends, beside whatever command runs."""

    def __init__(self, audio: agi.Audio) -> None:
        super().__init__(daemon=True)
        self.audio = audio
        self.spoken = 0.0
        self.loudest = float("-inf")

    def run(self) -> None:
        """Measure a fifth of a second at a time."""
        for piece in self.audio.frames(0.2):
            level = self.audio.level(piece)
            self.loudest = max(self.loudest, level)
            if level > VOICE:
                self.spoken += self.audio.seconds(piece)
            bar = "#" * max(0, round((level + 60) / 2)) if level > -60 else ""
            sys.stderr.write(f"{level:6.1f} dBFS |{bar:<30}|\n")


def ask(session: agi.EAGI, meter: Meter) -> str:
    """Ask for the number until some of it is keyed in; empty if nothing is."""
    prompt = "agent-user"
    for _ in range(TRIES):
        before = meter.spoken
        digits = session.execute(core.GetData(prompt, timeout=3000, max_digits=4)).digits
        if digits:
            return digits
        prompt = "please-try-again" if meter.spoken - before >= SPEAKING else "agent-user"
    return ""


def main() -> None:
    """Ask, and tell what was heard meanwhile."""
    with agi.EAGI() as session:
        session.audio.discard()  # what was said before
        meter = Meter(session.audio)
        meter.start()
        try:
            session.execute(core.SetVariable("ENTERED", ask(session, meter)))
        finally:  # after a hangup, too
            session.execute(core.SetVariable("SPOKEN", f"{meter.spoken:.1f}"))
            session.execute(core.SetVariable("LOUDEST", f"{meter.loudest:.1f}"))


if __name__ == "__main__":
    main()

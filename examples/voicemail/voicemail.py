#!/usr/bin/env python3
"""Take a message: record it, and let the caller listen, keep it, record it again, or erase it.

In the dialplan, for the box ``sales``::

    exten => 630,1,AGI(agi://127.0.0.1/leave?box=sales)
     same => n,Hangup()

The messages are files in the folder ``VOICEMAIL``, which Asterisk writes; what is known about each
is in its database: ``database show voicemail/sales`` lists them. A caller who hangs up instead of
choosing has left a message, too. Erasing removes the file, so run the server on Asterisk's machine.
"""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path

from pystrix_typed import agi
from pystrix_typed.agi import core

FOLDER = Path(os.environ.get("VOICEMAIL", "/var/spool/asterisk/messages"))
LONGEST = 120.0
"""Seconds of a message."""
SILENCE = 5.0
"""Seconds of silence that end it."""
SHORTEST = 8_000
"""Samples of a message that is one: a second."""
TRIES = 3

log = logging.getLogger(__name__)
server = agi.FastAGIServer()


class Message:
    """What a caller is leaving in a box."""

    def __init__(self, session: agi.FastAGI, box: str) -> None:
        self.session = session
        self.box = box
        self.id = session.environment.unique_id
        self.file = FOLDER / f"{box}-{self.id}"
        self.samples = 0

    def record(self) -> None:
        """Record it, from the beep to the key #, to silence, or to the hangup.

        Until the beep is over, what was recorded before is there still.
        """
        try:
            result = self.session.execute(
                core.RecordFile(self.file, "wav", "#", timeout=LONGEST * 1000, silence=SILENCE)
            )
        except agi.AGIHangup as hangup:
            # The file is there all the same, if it was begun: 0 tells of the beep.
            told = hangup.reply.pairs if hangup.reply else {}
            self.samples = int(told.get("endpos", "0")) or self.samples
            raise
        if result.ended_by != "digit_before_recording":
            self.samples = result.end_position

    def store(self) -> None:
        """Note what is known about it; legal on a dead channel, too."""
        facts = {
            "from": self.session.environment.caller_id or "",
            "name": self.session.environment.caller_id_name or "",
            "when": int(time.time()),
            "seconds": round(self.samples / 8_000, 1),
            "file": f"{self.file}.wav",
        }
        row = core.DatabasePut(f"voicemail/{self.box}", self.id, json.dumps(facts))
        try:
            self.session.execute(row)
        except agi.AGIDBError:
            log.exception("a message is in no list: %s", facts)

    def erase(self) -> None:
        """Forget it."""
        self.samples = 0
        Path(f"{self.file}.wav").unlink(missing_ok=True)


@server.script("leave")
def leave(session: agi.FastAGI, request: agi.Request) -> None:
    """Take a message."""
    message = Message(session, request.query.get("box", "everyone"))
    try:
        session.execute(core.Answer())
        session.execute(core.StreamFile("vm-intro"))
        take(message)
    except agi.AGIAppError:
        # The folder is missing or full: better to say so than to let people talk to nobody.
        session.execute(core.StreamFile("sorry-youre-having-problems"))
    finally:
        if message.samples >= SHORTEST:
            message.store()


def take(message: Message) -> None:
    """Record until the caller is content, or has tried often enough."""
    session = message.session
    for _ in range(TRIES):
        message.record()
        if message.samples < SHORTEST:
            message.erase()
            session.execute(core.StreamFile("vm-tooshort"))
            continue
        match review(message):
            case "3":
                continue
            case "*":
                message.erase()
                session.execute(core.StreamFile("vm-deleted"))
                return
            case _:
                session.execute(core.StreamFile("vm-msgsaved"))
                return


def review(message: Message) -> str | None:
    """Let the caller choose: 1 keep, 2 listen, 3 record again, * erase; None for no choice."""
    session = message.session
    key = session.execute(core.GetOption("vm-review", "123*", timeout=5000)).digit
    while key == "2":
        session.execute(core.StreamFile(message.file, "123*"))
        key = session.execute(core.GetOption("vm-review", "123*", timeout=5000)).digit
    return key


if __name__ == "__main__":
    server.serve_forever(signals=True)

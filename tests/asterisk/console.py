"""Asterisk's command line, spoken over its control socket.

This is what ``asterisk -rx`` does, without starting a process for each command: one connection, one
command closed by a NUL, then a greeting line and the output until the other side closes.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LONGEST_COMMAND", "ConsoleError", "ask", "quoted"]

LONGEST_COMMAND = 490
"""Asterisk reads a command into 512 bytes, the words in front of it included."""


class ConsoleError(Exception):
    """Asterisk's console did not answer, or refused a command."""


def ask(run_folder: Path, command: str, *, timeout: float = 10.0) -> str:
    """Give one command and return what it printed.

    Args:
        run_folder: The folder with the control socket ``asterisk.ctl``.
        command: The command, as one would type it.
        timeout: How many seconds to wait for each piece of the answer.

    Raises:
        ConsoleError: There is no console, it went silent, or it does not know the command.
        ValueError: The command is longer than the console takes.
    """
    data = command.encode(errors="surrogateescape")
    if len(data) > LONGEST_COMMAND or b"\0" in data:
        raise ValueError(f"a console command is at most {LONGEST_COMMAND} bytes: {command[:60]}...")
    try:
        output = _exchange(run_folder, b"cli quit after " + data + b"\0", timeout)
    except OSError as error:
        raise ConsoleError(f"{command}: no answer from the console ({error})") from error
    _greeting, _newline, text = output.decode(errors="surrogateescape").partition("\n")
    if text.startswith(("No such command", "Usage: ")):
        raise ConsoleError(f"{command}: {text.strip().splitlines()[0]}")
    return text


def quoted(word: str) -> str:
    """Write a word so that the console takes it as one, whatever is in it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _exchange(run_folder: Path, request: bytes, timeout: float) -> bytes:
    # Through a descriptor of the folder, because the path of a socket must fit into 108 bytes.
    folder = os.open(run_folder, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(f"/proc/self/fd/{folder}/asterisk.ctl")
            connection.sendall(request)
            pieces: list[bytes] = []
            while piece := connection.recv(65536):
                pieces.append(piece)
            return b"".join(pieces)
    finally:
        os.close(folder)

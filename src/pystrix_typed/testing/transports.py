"""A simulated call over a real connection: TCP, a socket pair, or the pipes of a script.

The script at the other end lives in real time and the call in virtual time. While a command runs,
virtual time passes at once. While it is the script's turn it stands still, until the script has
been silent for a while: then it is taken to wait for something, and the caller goes on.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

from pystrix_typed.testing.errors import CallerError
from pystrix_typed.testing.voice import FRAME, Voice

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from pystrix_typed.testing.call import SimulatedCall

__all__ = ["PATIENCE", "THINKING", "Connection", "SocketConnection", "converse", "run"]

#: Real seconds of silence after which a script is taken to wait, and virtual time goes on.
THINKING = 1.0
#: Real seconds that a script may be silent when nothing more can happen in the call.
PATIENCE = 10.0

_CHUNK = 65536
#: The descriptor on which an EAGI script finds the caller's sound.
_VOICE = 3


class Connection(Protocol):
    """The other end."""

    def send(self, data: bytes) -> None:
        """Write all of it; nothing happens when the other end is gone."""
        ...

    def receive(self, timeout: float | None) -> bytes | None:
        """Give what comes, ``b""`` at the end, None when the time is over.

        It may give None earlier, when something else has happened to the call.
        """
        ...

    def signal(self) -> None:
        """Send SIGHUP."""
        ...

    def close(self) -> None:
        """Close this end."""
        ...


class SocketConnection:
    """A FastAGI server, or whoever holds the other end of a socket pair."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def send(self, data: bytes) -> None:
        """Write all of it."""
        with contextlib.suppress(OSError):  # reading tells that it is gone
            self._socket.settimeout(None)
            self._socket.sendall(data)

    def receive(self, timeout: float | None) -> bytes | None:
        """Give what comes, ``b""`` at the end, None when the time is over."""
        try:
            if not select.select([self._socket], [], [], timeout)[0]:
                return None
            return self._socket.recv(_CHUNK)
        except (OSError, ValueError):
            return b""

    def signal(self) -> None:
        """Do nothing: a server gets a line, not a signal."""

    def close(self) -> None:
        """Close it."""
        self._socket.close()


class ScriptConnection:
    """A script that was started as Asterisk starts it: on pipes."""

    def __init__(self, process: subprocess.Popen[bytes], voice: Voice | None = None) -> None:
        self._voice = voice
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input, self._output = process.stdin, process.stdout

    def send(self, data: bytes) -> None:
        """Write all of it."""
        with contextlib.suppress(OSError):
            self._input.write(data)
            self._input.flush()

    def receive(self, timeout: float | None) -> bytes | None:
        """Give what comes, ``b""`` at the end, None when the time is over."""
        if self._voice is not None:
            # Sound comes frame by frame.
            self._voice.catch_up()
            timeout = FRAME / 1000 if timeout is None else min(timeout, FRAME / 1000)
        try:
            if not select.select([self._output], [], [], timeout)[0]:
                return None
            return os.read(self._output.fileno(), _CHUNK)
        except (OSError, ValueError):
            return b""

    def signal(self) -> None:
        """Send SIGHUP."""
        with contextlib.suppress(OSError):
            self._process.send_signal(signal.SIGHUP)

    def close(self) -> None:
        """Close the pipes."""
        if self._voice is not None:
            self._voice.close()
        for end in (self._input, self._output):
            with contextlib.suppress(OSError):
                end.close()


def converse(
    call: SimulatedCall,
    connection: Connection,
    *,
    speed: float = 0.0,
    thinking: float = THINKING,
    patience: float = PATIENCE,
) -> None:
    """Hold Asterisk's end of a call until the session is over, and close the connection.

    Args:
        call: The call; it begins now.
        connection: The script.
        speed: Virtual seconds in a real one: 1 for a call that takes its time; 0 for none.
        thinking: Real seconds of silence after which virtual time goes on in the script's turn.
        patience: Real seconds of silence after which a call in which nothing more can happen is
            given up.
    """
    conversation = _Conversation(call, connection, speed, thinking, patience)
    try:
        call.begin()
        while conversation.deliver():
            conversation.step()
    finally:
        connection.close()
    call.finish()


class _Conversation:
    """One call over one connection."""

    def __init__(
        self,
        call: SimulatedCall,
        connection: Connection,
        speed: float,
        thinking: float,
        patience: float,
    ) -> None:
        self._call = call
        self._connection = connection
        self._speed = speed
        self._thinking = thinking
        self._patience = patience
        # When the script last said something, in real time.
        self._latest = time.monotonic()

    def deliver(self) -> bool:
        """Send what Asterisk says; False when it has ended the session."""
        call = self._call
        # First, because Asterisk tells of a hangup before it looks for the next command.
        for _ in range(call.dialogue.take_signals()):
            self._connection.signal()
        data = call.output()
        if data and not call.dialogue.cut:
            self._connection.send(data)
        return not call.over

    def step(self) -> None:
        """Wait for what happens next, and let it happen."""
        call = self._call
        if call.ended:
            call.advance()
        elif self._speed:
            self._wait_at_pace()
        elif call.scripts_turn:
            self._wait_for_script()
        # A command is under way: what has come meanwhile may interrupt it.
        elif not self._take(0):
            call.advance()

    def _take(self, timeout: float) -> bool:
        """Take what the script sends within a real time; False when nothing came."""
        data = self._connection.receive(timeout)
        if data is None:
            return False
        self._hear(data)
        return True

    def _hear(self, data: bytes) -> None:
        self._latest = time.monotonic()
        if data:
            self._call.feed(data)
        else:
            self._call.end()

    def _wait_for_script(self) -> None:
        moment = self._call.next_moment
        if self._take(self._patience if moment is None else self._thinking):
            return
        if moment is None:
            self._give_up()
        else:
            self._call.advance(moment)

    def _wait_at_pace(self) -> None:
        call, speed = self._call, self._speed
        moment = call.next_moment
        wait = self._patience if moment is None else max(moment - call.now, 0.0) / speed
        began = time.monotonic()
        data = self._connection.receive(wait)
        passed = time.monotonic() - began
        if data is not None or passed < wait:
            # Time has passed, but nothing has happened in it.
            now = call.now + passed * speed
            call.pass_time(now if moment is None else min(now, moment))
            if data is not None:
                self._hear(data)
            elif moment is None and time.monotonic() - self._latest > self._patience:
                self._give_up()
        elif moment is not None:
            call.advance(moment)
        else:
            self._give_up()

    def _give_up(self) -> None:
        """Hang up where nothing more happens; leave a script that says nothing even then."""
        call = self._call
        self._latest = time.monotonic()
        if call.failure is not None:
            call.leave()
        elif call.scripts_turn:
            call.give_up(f"the script said nothing for {self._patience:g} seconds")
        else:
            call.get_unstuck()


def run(
    call: SimulatedCall,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    speed: float = 0.0,
    thinking: float = THINKING,
    patience: float = PATIENCE,
) -> bytes:
    """Start a script as Asterisk does, and hold Asterisk's end of the call.

    Args:
        call: The call.
        command: The program and its arguments.
        environment: Variables of the environment, beside this process's own and Asterisk's.
        folder: Where the script runs.
        speed: See `converse`; an EAGI script hears the caller in real time unless it is told.
        thinking: See `converse`.
        patience: See `converse`; the script also has so long to exit once the call is over.

    Returns:
        What the script wrote to stderr.

    Raises:
        CallerError: The script did not exit; it was killed.
        NotImplementedError: This is Windows, where neither Asterisk nor its signals exist.
    """
    if sys.platform == "win32":
        raise NotImplementedError("AGI scripts are started on POSIX systems only; use FastAGI")
    hears, speaks = os.pipe() if call.dialogue.eagi else (-1, -1)
    voice = Voice(call.channel, speaks) if call.dialogue.eagi else None
    dup = partial(os.dup2, hears, _VOICE)
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **_FOLDERS, **(environment or {})},
            cwd=folder,
            bufsize=0,
            # One system call, which takes no lock that a thread could hold.
            preexec_fn=dup if voice is not None else None,  # noqa: PLW1509
            pass_fds=(_VOICE,) if voice is not None else (),
        )
    except FileNotFoundError:
        if voice is not None:
            voice.close()
        call.finish()
        call.dialogue.not_found = True
        return b""
    finally:
        if voice is not None:
            os.close(hears)
    errors = _Collector(process)
    try:
        converse(
            call,
            ScriptConnection(process, voice),
            speed=speed or float(call.dialogue.eagi),
            thinking=thinking,
            patience=patience,
        )
        process.wait(patience)
    except subprocess.TimeoutExpired:
        raise CallerError(
            f"the script did not exit within {patience:g} seconds after the call",
            call.transcript.excerpt(),
        ) from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        written = errors.text()
    call.dialogue.exited(process.returncode)
    return written


class _Collector:
    """Reads what a script writes to stderr, so that it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        import threading

        assert process.stderr is not None
        self._pipe = process.stderr
        self._pieces: list[bytes] = []
        self._thread = threading.Thread(target=self._read, name="stderr of a script", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while piece := self._pipe.read(_CHUNK):
                self._pieces.append(piece)

    def text(self) -> bytes:
        self._thread.join()
        return b"".join(self._pieces)


#: What Asterisk tells a script of its folders.
_FOLDERS = {
    "AST_CONFIG_DIR": "/etc/asterisk",
    "AST_CONFIG_FILE": "/etc/asterisk/asterisk.conf",
    "AST_MODULE_DIR": "/usr/lib/asterisk/modules",
    "AST_SPOOL_DIR": "/var/spool/asterisk",
    "AST_MONITOR_DIR": "/var/spool/asterisk/monitor",
    "AST_VAR_DIR": "/var/lib/asterisk",
    "AST_DATA_DIR": "/usr/share/asterisk",
    "AST_LOG_DIR": "/var/log/asterisk",
    "AST_AGI_DIR": "/usr/share/asterisk/agi-bin",
    "AST_KEY_DIR": "/var/lib/asterisk",
    "AST_RUN_DIR": "/var/run/asterisk",
}

"""What surrounds a script: each test runs one, on pipes, and is its Asterisk.

The scripts are processes of their own, because what is tested is what belongs to a process:
descriptors 0, 1 and 2, signals, `sys.excepthook`, the exit status.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import pystrix_typed
from pystrix_typed.agi import AGIHangup
from pystrix_typed.agi.last_words import is_hangup, summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Run: TypeAlias = "Callable[[str], Played]"

PATIENCE = 20.0
PACKAGES = str(Path(pystrix_typed.__file__).parents[1])
VARIABLES = b"agi_request: menu.py\nagi_channel: test\nagi_enhanced: 0.0\n\n"
IMPORTS = """
import os, signal, subprocess, sys, threading
from pystrix_typed import agi
from pystrix_typed.agi.core import Answer, GetData, Noop, SayNumber, StreamFile, WaitForDigit
def call():
    return session.execute(WaitForDigit(1)).digit
"""


class Played(NamedTuple):
    """How a script went.

    Attributes:
        commands: The lines that Asterisk was sent.
        stderr: What was written there.
        status: The exit status.
    """

    commands: list[str]
    stderr: str
    status: int


class Asterisk:
    """The other end of a script's pipes: answers every command with the code of a digit.

    The digits count up, so that an answer that somebody else took is missed.
    """

    def __init__(self, source: str, folder: Path, *, stderr: int = subprocess.PIPE) -> None:
        self.file = folder / "menu.py"
        self.file.write_text(IMPORTS + source)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": PACKAGES, "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, str(self.file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            bufsize=0,
        )
        self.killer = threading.Timer(PATIENCE, self.process.kill)
        self.killer.start()
        self.commands: list[str] = []
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.replies, self.lines = self.process.stdin, self.process.stdout
        self.send(VARIABLES)

    def send(self, data: bytes) -> None:
        """Send some bytes, if the script still reads."""
        with contextlib.suppress(BrokenPipeError):
            self.replies.write(data)

    def read(self) -> str:
        """Take the next command; empty at the end."""
        line = self.lines.readline().decode()
        if line:
            self.commands.append(line.removesuffix("\n"))
        return line.removesuffix("\n")

    def answer(self) -> str:
        """Take the next command and answer it."""
        command = self.read()
        if command:
            digit = 0 if command == "NOOP" else ord("0") + len(self.commands)
            self.send(b"200 result=%d\n" % digit)
        return command

    def finish(self) -> Played:
        """Answer everything until the script ends."""
        while self.answer():
            pass
        with self.process:
            self.replies.close()
            stderr = self.process.stderr.read().decode() if self.process.stderr else ""
            status = self.process.wait()
        self.killer.cancel()
        return Played(self.commands, stderr, status)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], Played]:
    """Give a function that runs a script to its end."""
    return lambda source: Asterisk(source, tmp_path).finish()


CALL = "WAIT FOR DIGIT 1"


# ---- prints and subprocesses ----


@pytest.mark.parametrize(
    "deed",
    [
        "print('STRAY')",
        "print('STRAY', flush=True)",
        "os.write(1, b'STRAY\\n')",
        "os.system('echo STRAY')",
        "subprocess.run(['echo', 'STRAY'])",
        "subprocess.run('echo STRAY >&1', shell=True, close_fds=False)",
    ],
)
def test_what_is_printed_goes_to_stderr(run: Run, deed: str) -> None:
    played = run(f"session = agi.AGI()\ncall()\n{deed}\nassert call() == '2'\nsession.close()\n")
    assert played == ([CALL] * 2, "STRAY\n", 0)


@pytest.mark.parametrize(
    "deed", ["os.system('cat')", "subprocess.run(['cat'])", "sys.stdin.read()", "os.read(0, 99)"]
)
def test_replies_are_not_stolen(run: Run, deed: str) -> None:
    """Whoever else read them would also wait for the next one."""
    source = f"with agi.AGI() as session:\n call()\n {deed}\n assert call() == '2'\n"
    assert run(source) == ([CALL] * 2, "", 0)


def test_what_was_printed_before_goes_to_stderr(run: Run) -> None:
    assert run("print('STRAY')\nsession = agi.AGI()\ncall()\n") == ([CALL], "STRAY\n", 0)


def test_opting_out(run: Run) -> None:
    source = "session = agi.AGI(redirect_stdout=False)\nprint('NOOP', flush=True)\n"
    assert run(source) == (["NOOP"], "", 0)


def test_no_descriptor_is_inherited(run: Run) -> None:
    source = """
with agi.AGI() as session:
    print(sorted(os.listdir('/proc/self/fd')), flush=True)
    subprocess.run([sys.executable, '-c', 'import os; print(sorted(os.listdir("/proc/self/fd")))'],
        close_fds=False)
"""
    # One more than the standard ones is the folder being listed.
    assert run(source).stderr == "['0', '1', '2', '3', '4', '5']\n['0', '1', '2', '3']\n"


def test_without_stderr(tmp_path: Path) -> None:
    source = """
if len(sys.argv) == 1:
    os.close(2)
    os.execv(sys.executable, [sys.executable, __file__, 'again'])
with agi.AGI() as session:
    print('STRAY', flush=True)
    os.system('echo STRAY >&2')
    own = open(__file__)
    assert own.fileno() > 4, own.fileno()
    assert call() == '1'
    assert os.read(0, 9) == b''
"""
    assert Asterisk(source, tmp_path).finish() == ([CALL], "", 0)


@pytest.mark.parametrize("words", ["print('STRAY')", "sys.stderr.write('STRAY')", "pass"])
def test_nobody_reads_stderr(tmp_path: Path, words: str) -> None:
    """Python would exit with status 120, and Asterisk would call that a FAILURE."""
    reading, writing = os.pipe()
    os.close(reading)
    source = f"session = agi.AGI()\ncall()\ntry: {words}\nexcept OSError: pass\n"
    asterisk = Asterisk(source, tmp_path, stderr=writing)
    os.close(writing)
    assert asterisk.finish() == ([CALL], "", 0)


def test_asterisk_leaves_first(tmp_path: Path) -> None:
    source = "session = agi.AGI(redirect_stdout=False)\nsys.stdin.read()\nprint('NOOP')\n"
    asterisk = Asterisk(source, tmp_path)
    asterisk.lines.close()
    asterisk.replies.close()
    assert asterisk.process.stderr is not None
    with asterisk.process:
        assert asterisk.process.stderr.read() == b""
    asterisk.killer.cancel()
    assert asterisk.process.returncode == 0


# ---- the last words ----

AIO = """
import asyncio
async def main():
    async with agi.aio.AGI() as session:
        await session.execute(WaitForDigit(1))
        {deed}
asyncio.run(main())
"""
FORMS = {
    "with": "with agi.AGI() as session:\n call()\n {deed}\n",
    "plain": "session = agi.AGI()\ncall()\n{deed}\n",
    "aio": AIO,
    "aio plain": AIO.replace("async with agi.aio.AGI() as session:", "if 1:").replace(
        "        await", "        session = await agi.aio.AGI().start()\n        await"
    ),
}
forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@forms
def test_an_uncaught_exception_is_told(run: Run, form: str) -> None:
    played = run(form.format(deed="raise KeyError('pin')"))
    line = 1 + IMPORTS.count("\n") + form.partition("{deed}")[0].count("\n")
    assert played.commands == [CALL, f"VERBOSE \"menu.py: KeyError: 'pin' (menu.py:{line})\""]
    assert played.stderr.startswith("Traceback (most recent call last):\n")
    assert played.stderr.endswith("\nKeyError: 'pin'\n")
    assert played.status == 1


@forms
def test_the_caller_hung_up(run: Run, form: str) -> None:
    """No traceback for what ends most calls, but a line for whoever looks."""
    played = run(form.format(deed="raise agi.AGIResultHangup('the caller hung up')"))
    assert played.commands == [CALL]
    assert played.stderr.startswith("menu.py: AGIResultHangup: the caller hung up (menu.py:")
    assert played.stderr.count("\n") == 1
    assert played.status == 1


@pytest.mark.parametrize("deed", ["sys.exit(3)", "raise SystemExit(3)"])
@forms
def test_leaving_is_no_error(run: Run, form: str, deed: str) -> None:
    assert run(form.format(deed=deed)) == ([CALL], "", 3)


@pytest.mark.parametrize("form", [FORMS["with"], FORMS["plain"]])
def test_an_interrupt_is_no_error(run: Run, form: str) -> None:
    played = run(form.format(deed="os.kill(os.getpid(), signal.SIGINT)"))
    assert played.commands == [CALL]
    assert played.stderr.endswith("\nKeyboardInterrupt\n")
    assert played.status == -signal.SIGINT


def test_a_caught_exception_is_nobodys_business(run: Run) -> None:
    source = "session = agi.AGI()\ntry: raise ValueError\nexcept ValueError: pass\ncall()\n"
    assert run(source) == ([CALL], "", 0)


@pytest.mark.parametrize("option", ["report_errors=False", "redirect_stdout=False"])
def test_the_report_can_be_switched_off(run: Run, option: str) -> None:
    played = run(f"session = agi.AGI({option})\nraise ValueError('x')\n")
    assert bool(played.commands) == (option == "redirect_stdout=False")
    assert played.status == 1


def test_another_hook_is_kept(run: Run) -> None:
    source = """
sys.excepthook = mine = lambda *error: print('mine', error[0].__name__)
with agi.AGI(): pass
assert sys.excepthook is mine
session = agi.AGI()
session.close()
session.close()
assert sys.excepthook is mine
session = agi.AGI(stdin=os.memfd_create('x'))
"""
    played = run(source)
    assert played == ([], "mine AGISIGPIPEHangup\n", 1)


def test_a_hook_on_top_of_ours_is_kept(run: Run) -> None:
    source = """
session = agi.AGI()
ours = sys.excepthook
def mine(*error):
    print('mine', flush=True)
    ours(*error)
sys.excepthook = mine
raise ValueError('x')
"""
    played = run(source)
    assert [command.split()[0] for command in played.commands] == ["VERBOSE"]
    assert played.stderr.startswith("mine\nTraceback")


def test_a_hangup_that_was_caught_leaves_no_trace(run: Run) -> None:
    source = """
try:
    with agi.AGI() as session:
        raise agi.AGIHangup
except agi.AGIHangup:
    pass
raise ValueError('after the call')
"""
    played = run(source)
    assert played.commands == []
    assert played.stderr.endswith("ValueError: after the call\n")


def test_a_command_of_another_thread_is_not_disturbed(tmp_path: Path) -> None:
    source = """
session = agi.AGI()
thread = threading.Thread(target=call)
thread.start()
while not session._protocol._in_flight:
    pass
raise ValueError('x')
"""
    asterisk = Asterisk(source, tmp_path)
    assert asterisk.read() == CALL
    assert asterisk.process.stderr is not None
    while asterisk.process.stderr.readline() != b"ValueError: x\n":
        pass
    asterisk.send(b"200 result=49\n")
    played = asterisk.finish()
    assert played.commands == [CALL]
    assert played.status == 1


def test_a_command_that_was_abandoned_does_not_delay_the_report(tmp_path: Path) -> None:
    source = "with agi.AGI() as session:\n session.execute(SayNumber(1), timeout=0.01)\n"
    asterisk = Asterisk(source, tmp_path)
    while asterisk.read():
        pass
    played = asterisk.finish()
    assert [line.split('"')[0] for line in played.commands] == [
        "SAY NUMBER 1 ",
        "GET FULL VARIABLE ",
        "VERBOSE ",
    ]
    assert "AGITimeoutError: SAY NUMBER: no answer" in played.commands[-1]
    assert played.status == 1


def test_a_session_that_lost_step_is_reported(tmp_path: Path) -> None:
    source = """
with agi.AGI(resync_timeout=0.01) as session:
    try:
        session.execute(SayNumber(1), timeout=0.01)
    except agi.AGITimeoutError:
        call()
"""
    asterisk = Asterisk(source, tmp_path)
    while not asterisk.read().startswith("VERBOSE"):
        pass
    played = asterisk.finish()
    assert "AGIClosedError: WAIT FOR DIGIT was not sent" in played.commands[-1]


def test_closing_by_hand_and_failing_later(run: Run) -> None:
    played = run("with agi.AGI() as session:\n session.close()\n raise ValueError('x')\n")
    assert (played.commands, played.status) == ([], 1)
    assert played.stderr.endswith("\nValueError: x\n")


def test_a_report_never_waits(tmp_path: Path) -> None:
    """Asterisk reads nothing any more, and the pipe is full."""
    source = """
with agi.AGI() as session:
    os.set_blocking(session._output, False)
    try:
        while os.write(session._output, bytes(4096)): pass
    except BlockingIOError:
        os.set_blocking(session._output, True)
    raise ValueError('x')
"""
    asterisk = Asterisk(source, tmp_path)
    assert asterisk.process.wait(PATIENCE) == 1
    asterisk.lines.read()
    assert asterisk.finish().stderr.endswith("ValueError: x\n")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo\t\x00\ud800"), "ValueError: one two   "),
        (ValueError(), "ValueError"),
        (ValueError("ä" * 1000), f"ValueError: {'ä' * 1000}"),
        (Unspeakable(), "Unspeakable: (no message)"),
        (ExceptionGroup("two", [ExceptionGroup("", [OSError("a")]), KeyError()]), "OSError: a"),
    ],
)
def test_summary(monkeypatch: pytest.MonkeyPatch, error: Exception, line: str) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/menu.py"])
    expected = f"menu.py: {line}"
    assert summary(error) == (expected if len(expected) <= 400 else expected[:397] + "...")


def test_is_hangup() -> None:
    hangups = ExceptionGroup("", [AGIHangup(), ExceptionGroup("", [AGIHangup()])])
    assert is_hangup(AGIHangup())
    assert is_hangup(hangups)
    assert not is_hangup(ValueError())
    assert not is_hangup(ExceptionGroup("", [hangups, ValueError()]))


# ---- forks ----


def test_a_forked_process_has_no_part_in_the_call(run: Run) -> None:
    source = """
with agi.AGI() as session:
    child = os.fork()
    if not child:
        try:
            call()
        except agi.AGIClosedError as error:
            print(error, flush=True)
        raise ValueError('of the child')
    assert os.waitpid(child, 0)[1] == 256
    assert call() == '1'
"""
    played = run(source)
    assert (played.commands, played.status) == ([CALL], 0)
    first, *_others, last = played.stderr.splitlines()
    assert first.startswith("WAIT FOR DIGIT was not sent: this process was forked")
    assert last == "ValueError: of the child"


def test_a_forked_process_does_not_keep_asterisk_waiting(tmp_path: Path) -> None:
    source = """
session = agi.AGI()
reading, writing = os.pipe()
if not os.fork():
    os.close(writing)
    os.read(reading, 1)  # until the parent has ended
    open({gate!r}).read()  # until the test says so
    os._exit(0)
os.close(reading)
"""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    asterisk = Asterisk(source.format(gate=str(gate)), tmp_path)
    assert asterisk.read() == ""  # the end, although the child is alive
    gate.write_text("go")
    assert asterisk.finish().status == 0


def test_an_asyncio_session_forgets_the_call_in_a_forked_process(run: Run) -> None:
    source = """
import asyncio
async def main():
    async with agi.aio.AGI() as session:
        await session.execute(WaitForDigit(1))
        child = os.fork()
        if not child:
            print(sorted(os.listdir('/proc/self/fd'))[:3], len(session._variables), flush=True)
            try:
                session._output.fileno()
            except ValueError:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert (await session.execute(WaitForDigit(1))).digit == '2'
asyncio.run(main())
"""
    played = run(source)
    assert (played.commands, played.status) == ([CALL] * 2, 0), played.stderr


# ---- SIGHUP ----

HANGUP = "os.kill(os.getpid(), signal.SIGHUP)"


def test_sighup_is_taken_as_notice(run: Run) -> None:
    source = f"""
session = agi.AGI()
session.on_hangup(lambda: print('over', flush=True))
{HANGUP}
{HANGUP}
assert session.hung_up
assert session.execute(Noop()) is None
try:
    session.execute(StreamFile('beep'))
except agi.AGISIGHUPHangup:
    print('no beep')
session.close()
{HANGUP}
"""
    assert run(source) == (["NOOP"], "over\nno beep\n", 0)


def test_a_handler_of_the_users_is_called_and_handed_back(run: Run) -> None:
    source = f"""
mine = lambda number, frame: print('mine', flush=True)
signal.signal(signal.SIGHUP, mine)
with agi.AGI() as session:
    {HANGUP}
    assert session.hung_up
assert signal.getsignal(signal.SIGHUP) is mine
"""
    assert run(source) == ([], "mine\n", 0)


def test_sighup_is_left_alone_on_request(run: Run) -> None:
    assert run(f"session = agi.AGI(handle_sighup=False)\n{HANGUP}\n").status == -signal.SIGHUP


def test_a_session_off_the_main_thread(run: Run) -> None:
    source = f"""
signal.signal(signal.SIGHUP, lambda *_: print('mine', flush=True))
def work():
    global session
    with agi.AGI() as session:
        assert call() == '1'
thread = threading.Thread(target=work)
thread.start()
thread.join()
{HANGUP}
"""
    assert run(source) == ([CALL], "mine\n", 0)


# ---- by hand ----


def test_a_script_on_a_terminal_says_what_it_waits_for(tmp_path: Path) -> None:
    source = "with agi.AGI(handshake_timeout=0.001) as session:\n session.execute(Noop())\n"
    (tmp_path / "menu.py").write_text(IMPORTS + source)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "menu.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": PACKAGES},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as script:
        killer = threading.Timer(PATIENCE, script.kill)
        killer.start()
        assert script.stderr is not None
        assert script.stderr.readline().startswith(b"menu.py: Asterisk starts this script")
        os.write(ours, b"agi_channel: test\n\n")
        shown = b""
        while b"NOOP" not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, b"200 result=0\n")
        assert script.stderr.read() == b""
        assert script.wait() == 0
        killer.cancel()
    os.close(ours)
    os.close(theirs)

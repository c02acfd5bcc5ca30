"""The blocking sessions, over a socket and over pipes, against a peer in a thread of its own."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import struct
import threading
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi
from pystrix_typed.agi.exceptions import (
    AGIClosedError,
    AGIException,
    AGIHangup,
    AGIProtocolError,
    AGIResultHangup,
    AGISIGHUPHangup,
    AGISIGPIPEHangup,
    AGITimeoutError,
)

from .cases import CASES, LAST, Case, Exec, Noop, Play, Said, Say, Value, WaitDigit, parameters
from .peer import (
    ENVIRONMENT,
    Asterisk,
    Doing,
    Served,
    asked,
    bytewise,
    scripted,
    serve,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextlib import AbstractContextManager
    from types import FrameType
    from typing import TypeAlias

    from pystrix_typed.agi.record import AnyAction
    from pystrix_typed.agi.session import Session

    Open: TypeAlias = Callable[..., AbstractContextManager["Call"]]

PATIENCE = 20.0


class Call:
    """A session and its peer."""

    def __init__(self, session: Session, asterisk: Asterisk, peer: Served) -> None:
        self.session = session
        self.asterisk = asterisk
        self.peer = peer


def connected() -> tuple[socket.socket, socket.socket]:
    """Give the two ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


@contextmanager
def fastagi(
    asterisk: Asterisk,
    greeting: bytes = ENVIRONMENT,
    cut: Callable[[bytes], Iterable[bytes]] = whole,
    *,
    timeout: float | timedelta | None = None,
    resync_timeout: float = 30.0,
    verify_values: bool = False,
    handle_sighup: bool = False,
) -> Generator[Call, None, None]:
    """A call over TCP."""
    near, far = connected()
    fd = far.detach()
    with (
        serve(asterisk, fd, fd, greeting, cut) as peer,
        agi.FastAGI(
            near, timeout=timeout, resync_timeout=resync_timeout, verify_values=verify_values
        ) as session,
    ):
        yield Call(session, asterisk, peer)


@contextmanager
def script(
    asterisk: Asterisk,
    greeting: bytes = ENVIRONMENT,
    cut: Callable[[bytes], Iterable[bytes]] = whole,
    *,
    timeout: float | timedelta | None = None,
    resync_timeout: float = 30.0,
    verify_values: bool = False,
    handle_sighup: bool = False,
) -> Generator[Call, None, None]:
    """A call over pipes."""
    stdin, replies = os.pipe()
    commands, stdout = os.pipe()
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(serve(asterisk, commands, replies, greeting, cut))
        try:
            session = agi.AGI(
                timeout=timeout,
                resync_timeout=resync_timeout,
                verify_values=verify_values,
                redirect_stdout=False,
                handle_sighup=handle_sighup,
                report_errors=False,
                stdin=stdin,
                stdout=stdout,
            )
        finally:
            os.close(stdin)
            os.close(stdout)
        yield Call(stack.enter_context(session), asterisk, peer)


TRANSPORTS = pytest.mark.parametrize("call", [fastagi, script])


def answered(call: Call, number: int = 4711) -> None:
    """Assert that the session goes on: the next command gets its own answer."""
    assert call.session.execute(Noop(str(number))) == Said("0", str(number))
    assert call.asterisk.violations == []


# ---- the table ----


@parameters(CASES)
@TRANSPORTS
@pytest.mark.parametrize("cut", [whole, bytewise])
def test_table(case: Case, call: Open, cut: Callable[[bytes], Iterable[bytes]]) -> None:
    asterisk = Asterisk(
        scripted(*[answer for _, answer, _ in case.answers], status=case.status),
        leaves_after=len(case.answers) if case.ends else math.inf,
    )
    verify = cut is bytewise and not case.in_pieces
    with call(asterisk, ENVIRONMENT + case.unasked, cut, verify_values=verify) as c:
        for action, _, expected in case.answers:
            if isinstance(expected, type):
                with pytest.raises(AGIException) as caught:
                    c.session.execute(action)
                assert type(caught.value) is expected
            else:
                assert c.session.execute(action) == expected
            c.peer.settle()
        assert c.session.hung_up == case.hung_up
    assert asterisk.violations == []


# ---- the variables at the start ----


@TRANSPORTS
@pytest.mark.parametrize(
    ("greeting", "expected"),
    [(b"GET / HTTP/1.1\n\n", AGIProtocolError), (b"agi_a: 1\n", AGISIGPIPEHangup)],
)
def test_no_variables(call: Open, greeting: bytes, expected: type[Exception]) -> None:
    asterisk = Asterisk(scripted(), leaves_after=0)
    with pytest.raises(expected), call(asterisk, greeting):
        pytest.fail("there is no call")


def test_slow_variables() -> None:
    near, far = socket.socketpair()
    with far:
        far.sendall(b"agi_a: 1\n")
        with pytest.raises(AGITimeoutError):
            agi.FastAGI(near, handshake_timeout=0.01)
        assert near.fileno() == -1
        assert far.recv(1) == b""


def test_variables_are_a_copy() -> None:
    with fastagi(Asterisk(asked)) as call:
        variables = call.session.get_environment()
        assert variables["agi_channel"] == "PJSIP/alice-00000001"
        variables.clear()
        assert call.session.get_environment()["agi_version"] == "22.10.1"


# ---- abandoned commands ----


@TRANSPORTS
@pytest.mark.parametrize("action", [Play(60_000), WaitDigit(60_000), Say(40)])
@pytest.mark.parametrize("timeout", [0.02, timedelta(milliseconds=20), 0])
def test_deadline(call: Open, action: AnyAction, timeout: float | timedelta) -> None:
    with call(Asterisk(asked)) as c:
        with pytest.raises(AGITimeoutError, match=action.command):
            c.session.execute(action, timeout=timeout)
        answered(c)


@TRANSPORTS
def test_deadline_of_the_session(call: Open) -> None:
    with call(Asterisk(asked), timeout=0.01) as c:
        with pytest.raises(AGITimeoutError):
            c.session.execute(Play(60_000))
        assert c.session.execute(Say(30), timeout=None) == 30
        assert c.session.execute(Say(30), timeout=PATIENCE) == 30


@pytest.mark.parametrize("timeout", [1e12, math.inf, timedelta.max, timedelta(days=60)])
def test_deadlines_that_are_far_away(timeout: float | timedelta) -> None:
    with fastagi(Asterisk(asked), timeout=timeout) as call:
        answered(call)
        with threads(lambda: call.session.execute(Say(20))):
            answered(call)


@TRANSPORTS
def test_fence_that_never_comes_back(call: Open) -> None:
    asterisk = Asterisk(asked)
    asterisk.ignores_fences = True
    with call(asterisk, resync_timeout=0.02) as c:
        with pytest.raises(AGITimeoutError):
            c.session.execute(Play(60_000), timeout=0.01)
        with pytest.raises(AGIClosedError, match=r"no answer to the fence within 0\.02 seconds"):
            c.session.execute(Noop())
        with pytest.raises(AGIClosedError):
            c.session.execute(Noop())
    assert asterisk.heard == [b'STREAM FILE 60000 ""']


@contextmanager
def on_signal(handler: Callable[[], object]) -> Generator[Callable[[], None], None, None]:
    """Give what makes a handler run in the main thread, whatever that is doing."""

    def handle(number: int, frame: FrameType | None) -> None:
        handler()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        yield lambda: os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def interrupt() -> None:
    raise KeyboardInterrupt


@TRANSPORTS
@pytest.mark.parametrize("action", [Play(60_000), WaitDigit(60_000), Say(50)])
def test_interrupt(call: Open, action: AnyAction) -> None:
    """Ctrl-C while Asterisk is at it stops what can be stopped, and the session goes on."""
    with on_signal(interrupt) as strike:

        def answer(line: bytes) -> Doing:
            if line != b'NOOP "4711"':
                strike()
            return asked(line)

        with call(Asterisk(answer)) as c:
            for _ in range(3):
                with pytest.raises(KeyboardInterrupt):
                    c.session.execute(action)
            answered(c)


def test_command_that_is_partly_written() -> None:
    """Nobody reads, and the interrupt comes while the rest waits for room in the socket."""
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    far.sendall(ENVIRONMENT)
    with far, agi.FastAGI(near) as session, on_signal(interrupt) as strike:

        def wait_and_strike() -> None:
            # The first bytes are there, so the sender is at it.
            far.recv(1, socket.MSG_PEEK)
            strike()

        with threads(wait_and_strike), pytest.raises(KeyboardInterrupt):
            session.execute(Noop("x" * 8000))
        with pytest.raises(AGIClosedError, match="partly written"):
            session.execute(Noop())


# ---- the end of the call ----


@TRANSPORTS
@pytest.mark.parametrize("notices", [0, 1, 2])
def test_hangup_in_the_middle(call: Open, notices: int) -> None:
    asterisk = Asterisk(asked)

    def answer(line: bytes) -> Doing:
        if line.startswith(b"STREAM"):
            asterisk.hang_up_at(0, notices)
        return asked(line)

    asterisk.answer = answer
    heard: list[str] = []
    with call(asterisk) as c:
        c.session.on_hangup(lambda: heard.append("hangup"))
        with pytest.raises(AGIResultHangup):
            c.session.execute(Play(60_000))
        assert c.session.hung_up
        with pytest.raises(AGIHangup, match="was not sent"):
            c.session.execute(Say())
        answered(c)
        assert c.session.execute(Value("3")) == "3)\n200 result=1 (x\n3"
        c.session.on_hangup(lambda: heard.append("late"))
    assert heard == ["hangup", "late"]


@pytest.mark.parametrize("pair", [connected, socket.socketpair], ids=["TCP", "Unix"])
def test_hung_up_looks_at_what_asterisk_has_said(
    pair: Callable[[], tuple[socket.socket, socket.socket]],
) -> None:
    near, far = pair()
    with far:
        far.sendall(ENVIRONMENT)
        with agi.FastAGI(near) as session:
            said = [session.hung_up]
            for piece in (b"HANG", b"UP\n"):
                far.sendall(piece)
                said.append(session.hung_up)
            assert said == [False, False, True]
            with pytest.raises(AGISIGHUPHangup):
                session.execute(Say())


def test_hung_up_does_not_wait_for_another_thread() -> None:
    with fastagi(Asterisk(asked)) as call:
        began = threading.Event()

        def play() -> None:
            began.set()
            with pytest.raises(AGITimeoutError):
                call.session.execute(Play(60_000), timeout=0.1)

        with threads(play):
            assert began.wait(PATIENCE)
            assert not call.session.hung_up
            answered(call)


@pytest.mark.parametrize("pair", [connected, socket.socketpair], ids=["TCP", "Unix"])
@pytest.mark.parametrize("counted", [True, False])
def test_a_line_between_commands_is_nobodys_reply(
    pair: Callable[[], tuple[socket.socket, socket.socket]], counted: bool
) -> None:
    """Whatever way there is to see that it has come."""
    near, far = pair()
    far.sendall(ENVIRONMENT)
    with agi.FastAGI(near) as session:
        session._is_counted &= counted  # pyright: ignore[reportPrivateUsage] - as elsewhere
        far.sendall(b"200 result=666\n")
        fd = far.detach()
        with serve(Asterisk(asked), fd, fd, b"", whole):
            assert session.execute(Noop("7")) == Said("0", "7")
            session.close()


@pytest.mark.parametrize("looks", [False, True])
def test_reset(looks: bool) -> None:
    """Not a clean end: the peer's machine throws the connection away."""
    near, far = connected()
    far.sendall(ENVIRONMENT)
    with agi.FastAGI(near) as session:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        if looks:
            assert session.hung_up
        with pytest.raises(AGISIGPIPEHangup):
            session.execute(Noop())
        assert session.hung_up
        with pytest.raises(AGISIGPIPEHangup):
            session.execute(Noop())


@TRANSPORTS
def test_callback_that_fails(call: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """It is shown, the others are called, and the command has its result."""
    heard: list[str] = []
    with call(Asterisk(scripted(b"HANGUP\n200 result=7\n", LAST[1]))) as c:

        def fail() -> None:
            raise ValueError("a mistake in the callback")

        c.session.on_hangup(fail)
        c.session.on_hangup(lambda: heard.append("second"))
        assert c.session.execute(Noop()) == Said("7")
        assert c.session.execute(LAST[0]) == LAST[2]
    assert heard == ["second"]
    assert "ValueError: a mistake in the callback" in capsys.readouterr().err


def test_callback_that_ends_the_program() -> None:
    with fastagi(Asterisk(scripted(b"HANGUP\n200 result=7\n", LAST[1]))) as call:

        def leave() -> None:
            raise SystemExit

        call.session.on_hangup(leave)
        with pytest.raises(SystemExit):
            call.session.execute(Noop())
        assert call.session.execute(LAST[0]) == LAST[2]


@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler])
def test_sighup_is_handed_back(
    before: signal.Handlers | Callable[[int, FrameType | None], object],
) -> None:
    mine = signal.signal(signal.SIGHUP, before)
    try:
        with script(Asterisk(asked), handle_sighup=True) as call:
            session = call.session
            if before is signal.default_int_handler:
                with pytest.raises(KeyboardInterrupt):
                    os.kill(os.getpid(), signal.SIGHUP)
            else:
                os.kill(os.getpid(), signal.SIGHUP)
            assert session.hung_up
            with pytest.raises(AGISIGHUPHangup):
                session.execute(Say())
            answered(call)
        if before is signal.SIG_DFL:
            # What it does would kill the work after the call.
            os.kill(os.getpid(), signal.SIGHUP)
        else:
            assert signal.getsignal(signal.SIGHUP) is before
    finally:
        signal.signal(signal.SIGHUP, mine)


# ---- threads ----


@contextmanager
def threads(*works: Callable[[], object]) -> Generator[None, None, None]:
    """Run works beside, and raise what they raise."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised
            errors.append(error)

    running = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        for thread in running:
            thread.join(PATIENCE)
    if errors:
        raise errors[0]


@TRANSPORTS
def test_threads_share_a_session(call: Open) -> None:
    with call(Asterisk(asked)) as c:

        def work(worker: int) -> None:
            for question in range(40):
                number = 1000 * worker + question
                if question % 10 == 9:
                    with contextlib.suppress(AGITimeoutError):
                        c.session.execute(Play(60_000 + number), timeout=0.001)
                else:
                    assert c.session.execute(Noop(str(number))) == Said("0", str(number))

        with threads(*[partial(work, worker) for worker in range(1, 7)]):
            pass
        answered(c)


def test_deadline_while_another_thread_has_the_turn() -> None:
    asterisk = Asterisk(asked)
    began = threading.Event()

    def answer(line: bytes) -> Doing:
        began.set()
        return asked(line)

    asterisk.answer = answer
    with fastagi(asterisk) as call:
        with threads(lambda: call.session.execute(Say(150))):
            assert began.wait(PATIENCE)
            with pytest.raises(AGITimeoutError, match=r"NOOP was not sent .* another command"):
                call.session.execute(Noop(), timeout=0.01)
        answered(call)
    assert asterisk.heard == [b'SAY NUMBER 150 ""', b'NOOP "4711"']


@TRANSPORTS
def test_closing_ends_another_threads_command(call: Open) -> None:
    began = threading.Event()

    def answer(line: bytes) -> Doing:
        began.set()
        return asked(line)

    with call(Asterisk(answer)) as c:

        def play() -> None:
            with pytest.raises(AGIClosedError):
                c.session.execute(Play(60_000))

        with threads(play):
            assert began.wait(PATIENCE)
            c.session.close()
        with pytest.raises(AGIClosedError):
            c.session.execute(Noop())


def test_command_in_a_signal_handler() -> None:
    """In the middle of another one it would wait for itself forever."""
    raised: list[RuntimeError] = []
    with contextlib.ExitStack() as stack:

        def nest() -> None:
            with pytest.raises(RuntimeError, match="from within another one") as caught:
                call.session.execute(Noop())
            raised.append(caught.value)

        strike = stack.enter_context(on_signal(nest))

        def answer(line: bytes) -> Doing:
            strike()
            return asked(line)

        call = stack.enter_context(fastagi(Asterisk(answer)))
        assert call.session.execute(Say(20)) == 20
        assert len(raised) == 1


def test_command_in_a_callback() -> None:
    raised: list[RuntimeError] = []
    with fastagi(Asterisk(scripted(b"HANGUP\n200 result=7\n", LAST[1]))) as call:

        def nest() -> None:
            with pytest.raises(RuntimeError) as caught:
                call.session.execute(Exec())
            raised.append(caught.value)

        call.session.on_hangup(nest)
        assert call.session.execute(Noop()) == Said("7")
        assert call.session.execute(LAST[0]) == LAST[2]
    assert len(raised) == 1


def test_closing_twice() -> None:
    with fastagi(Asterisk(asked)) as call:
        call.session.close()
        call.session.close()
        with pytest.raises(AGIClosedError, match="the session was closed"):
            call.session.execute(Noop())


def test_dialogue_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    near, far = socket.socketpair()
    fd = far.detach()
    with (
        serve(Asterisk(scripted(b"200 result=1 (\xff)\n")), fd, fd),
        agi.FastAGI(near, debug=True) as session,
    ):
        session.execute(Noop("hi"))
    shown = capsys.readouterr().err
    assert '>> NOOP "hi"\n' in shown
    assert "<< 200 result=1 (\\xff)\n" in shown
    assert "<< agi_version: 22.10.1\n" in shown

"""Plays Asterisk's part of many calls; `benchmarks.exchange` says what is counted."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from benchmarks.tally import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.tally import Numbers

__all__ = ["KEPT", "Call", "Exchange", "Plan"]

#: Calls that may be connecting at a time: fewer than any server's backlog.
CONNECTING = 100
#: Seconds between two looks for calls that have waited too long.
SWEEP = 0.25
#: Ends that are no loss.
KEPT = frozenset({"completed", "left"})
#: Seconds after which another call takes the place of one that could not connect.
RETRY = 0.05
DEAD = b"511 Command Not Permitted on a dead channel or intercept routine\n"
ALIVE_ONLY = (b"ANSWER", b"STREAM", b"WAIT", b"SAY", b"GET DATA", b"CHANNEL", b"RECORD", b"RECEIVE")
#: What a command line begins with, and its answer; ``%b`` is the call's token.
REPLIES: tuple[tuple[bytes, bytes], ...] = (
    (b"NOOP", b"200 result=0\n"),
    (b"WAIT FOR DIGIT", b"200 result=0\n"),
    (b"GET VARIABLE", b"200 result=1 (%b)\n"),
    (b"GET FULL VARIABLE", b"200 result=1 (%b)\n"),
    (b"SET VARIABLE", b"200 result=1\n"),
    (b"STREAM FILE", b"200 result=0 endpos=8000\n"),
    (b"CONTROL STREAM FILE", b"200 result=0 endpos=1000\n"),
    (b"GET DATA", b"200 result=1234\n"),
    (b"GET OPTION", b"200 result=49 endpos=8000\n"),
    (b"SAY ", b"200 result=0\n"),
    (b"VERBOSE", b"200 result=1\n"),
    (b"ANSWER", b"200 result=0\n"),
    (b"CHANNEL STATUS", b"200 result=6\n"),
    (b"DATABASE GET", b"200 result=1 (%b)\n"),
    (b"DATABASE", b"200 result=1\n"),
    (b"EXEC", b"200 result=0\n"),
    (b"SET ", b"200 result=0\n"),
    (b"HANGUP", b"200 result=1\n"),
)
BLOCK = """\
agi_network: yes
agi_network_script: {script}
agi_request: agi://{host}:{port}/{script}
agi_channel: PJSIP/load-{token}
agi_language: en
agi_type: PJSIP
agi_uniqueid: 1700000000.{token}
agi_version: 22.10.1
agi_callerid: 5550{token}
agi_calleridname: Load Test
agi_callingpres: 0
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: 100
agi_rdnis: unknown
agi_context: default
agi_extension: 100
agi_priority: 1
agi_enhanced: 0.0
agi_accountcode:\x20
agi_threadid: 140000000000000
agi_arg_1: load

"""


@dataclass(frozen=True)
class Plan:
    """What to do; the options of the command line say what each means."""

    host: str
    port: int
    calls: int = 1
    total: int = 0
    ramp: float = 0.0
    script: str = "talk"
    think: float = 0.0
    hold: float = 0.0
    end: str = "finish"
    commands: int = 1
    patience: float = 10.0
    steered: bool = False


class Call(asyncio.Protocol):
    """One call, from its connection to its end."""

    __slots__ = (
        "began", "buffer", "commands", "dead", "due", "ending", "exchange", "over", "timer",
        "token", "transport", "waiting", "worker",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, exchange: Exchange, number: int) -> None:
        self.exchange = exchange
        self.token = b"%d%06d" % (os.getpid(), number)
        self.buffer = b""
        self.commands = 0
        self.worker = ""
        self.began = time.perf_counter()
        #: When the server's turn began; 0 while it is this call's.
        self.waiting = 0.0
        #: Whether it has come to its planned end, which the server has to notice.
        self.ending = False
        self.dead = False
        self.over = False
        #: The command that is not answered yet, and its answer.
        self.due = (b"", b"")
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the variables."""
        self.transport = cast("asyncio.Transport", transport)
        plan = self.exchange.plan
        block = BLOCK.format(
            script=plan.script, host=plan.host, port=plan.port, token=self.token.decode()
        )
        transport_socket: socket.socket = transport.get_extra_info("socket")
        transport_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport.write(block.encode())
        now = time.perf_counter()
        self.exchange.latency["connect"].add(now - self.began)
        self.waiting = now
        self.exchange.note_up(self)

    def data_received(self, data: bytes) -> None:
        """Answer commands."""
        self.buffer += data
        while b"\n" in self.buffer and not self.over:
            line, _, self.buffer = self.buffer.partition(b"\n")
            if line.startswith(b'GET FULL VARIABLE "fence-'):
                self._answer(b"200 result=1 (%b)\n" % line.split(b'"')[1])
            elif not self.waiting:
                self.lose("dialogue", f"{line!r} while another command is not answered")
            else:
                self._command(line)

    def _command(self, line: bytes) -> None:
        exchange = self.exchange
        now = time.perf_counter()
        exchange.latency["command" if self.commands else "first"].add(now - self.waiting)
        self.waiting = 0.0
        self.commands += 1
        exchange.commands += 1
        if self.commands == 1:
            exchange.note_heard()
        if line.startswith(b'NOOP "call-') and line[11:-1] != self.token:
            self.lose("dialogue", f"{line!r} in the call {self.token!r}")
        elif line.startswith(b'VERBOSE "worker '):
            self.worker = line.split(b'"')[1].partition(b" ")[2].decode()
            exchange.workers[self.worker]["calls"] += 1
        if self.dead and line.startswith(ALIVE_ONLY):
            reply = DEAD
        else:
            reply = next((answer for start, answer in REPLIES if line.startswith(start)), b"")
        if line.startswith(b"HANGUP"):
            self.dead = True
        reply = reply.replace(b"%b", self.token)
        self.due = (line, reply)
        if not reply:
            self.lose("dialogue", f"{line!r} is no command")
        elif exchange.plan.think and not self.dead:
            self.timer = asyncio.get_running_loop().call_later(
                exchange.plan.think, self._answer, reply
            )
        else:
            self._answer(reply)

    def _answer(self, reply: bytes) -> None:
        if not self.over:
            self.transport.write(reply)
            self.waiting = time.perf_counter()

    def finish(self) -> None:
        """Come to the planned end."""
        if self.ending or self.over:
            return
        self.ending = True
        end = self.exchange.plan.end
        if end == "hangup":
            # A command that waits for the caller fails, and the notice follows.
            self.dead = True
            if self.timer is not None:
                self.timer.cancel()
            line, reply = self.due
            if line.startswith(ALIVE_ONLY):
                reply = b"200 result=-1\n"
            self._answer(b"HANGUP\n" if self.waiting else reply + b"HANGUP\n")
        elif end == "rst":
            connection: socket.socket = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._over("left")
        elif end == "fin":
            self._over("left")

    def lose(self, why: str, detail: str = "") -> None:
        """Count it as lost."""
        if not self.over:
            self.exchange.details[f"{why}: {detail}"] += bool(detail)
            self._over(why)

    def connection_lost(self, exc: Exception | None) -> None:
        """Find out whether that was the plan."""
        if self.over:
            return
        if isinstance(exc, ConnectionError):
            self.lose("reset", str(exc))
        elif self._as_planned():
            self._over("completed")
        else:
            self.lose("closed", "after a command" if self.commands else "before any command")

    def _as_planned(self) -> bool:
        plan = self.exchange.plan
        if plan.end == "finish":
            return self.commands >= plan.commands
        return self.ending and plan.end == "hangup"

    def _over(self, how: str) -> None:
        self.over = True
        if self.timer is not None:
            self.timer.cancel()
        self.transport.abort() if how != "left" else self.transport.close()
        self.exchange.note_end(self, how)


class Exchange:
    """Places the calls of a plan, and counts.

    Args:
        plan: What to do.
        say_up: Called once all calls are up, with the number of those that live.
        tell: Called when stdin asks for the numbers so far.
    """

    def __init__(self, plan: Plan, say_up: Callable[[int], None], tell: Callable[[], None]) -> None:
        self.plan = plan
        self.say_up = say_up
        self.tell = tell
        self.live: set[Call] = set()
        self.ends: Counter[str] = Counter()
        self.details: Counter[str] = Counter()
        self.latency = {name: Histogram() for name in ("connect", "first", "command")}
        self.workers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.commands = self.started = self.peak = self._heard = 0
        self.stopping = False
        self._began, self._cpu = time.perf_counter(), time.process_time()
        self._changed = asyncio.Event()

    def note_end(self, call: Call, how: str) -> None:
        """Count the end of a call."""
        self.ends[how] += 1
        self.live.discard(call)
        if call.worker:
            self.workers[call.worker][how] += 1
        if not call.commands:
            self.note_heard()
        self._changed.set()

    def note_heard(self) -> None:
        """Count a call that is up: it has had its first command, or never will have one."""
        self._heard += 1
        if self._heard == self.plan.calls:
            self.say_up(len(self.live))

    async def run(self) -> None:
        """Place all calls, and wait for their ends."""
        self._began, self._cpu = time.perf_counter(), time.process_time()
        sweeper = asyncio.create_task(self._sweep())
        orders = asyncio.create_task(self._orders()) if self.plan.steered else None
        try:
            await self._place()
            while self.live:
                await self._news()
        finally:
            for task in (sweeper, orders):
                if task is not None:
                    task.cancel()

    async def _news(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _place(self) -> None:
        plan = self.plan
        total = plan.total or (sys.maxsize if plan.steered else plan.calls)
        async with asyncio.TaskGroup() as group:
            connecting: set[asyncio.Task[None]] = set()
            while self.started < total and not self.stopping:
                if len(self.live) + len(connecting) >= plan.calls or len(connecting) >= CONNECTING:
                    await self._news()
                    continue
                self.started += 1
                task = group.create_task(self._connect(Call(self, self.started)))
                connecting.add(task)
                task.add_done_callback(connecting.discard)
                task.add_done_callback(lambda _: self._changed.set())
                if plan.ramp:
                    behind = self.started / plan.ramp - (time.perf_counter() - self._began)
                    await asyncio.sleep(max(0.0, behind))

    async def _connect(self, call: Call) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.plan.patience):
                await loop.create_connection(lambda: call, self.plan.host, self.plan.port)
        except ConnectionRefusedError:
            await self._fail("refused")
        except TimeoutError:
            await self._fail("timeout", "connect")
        except OSError as error:
            await self._fail("unreachable", str(error))

    async def _fail(self, why: str, detail: str = "") -> None:
        self.ends[why] += 1
        self.details[f"{why}: {detail}"] += bool(detail)
        self.note_heard()
        await asyncio.sleep(RETRY)

    def note_up(self, call: Call) -> None:
        """Take a call that is connected."""
        self.live.add(call)
        self.peak = max(self.peak, len(self.live))
        if self.stopping:
            call.finish()
        elif self.plan.hold:
            asyncio.get_running_loop().call_later(self.plan.hold, call.finish)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            late = time.perf_counter() - self.plan.patience
            for call in [each for each in self.live if 0 < each.waiting < late]:
                after = "a reply" if call.commands else "the variables"
                call.lose("timeout", f"after {'its end' if call.ending else after}")

    async def _orders(self) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while (await reader.readline()).strip() == b"tell":
            self.tell()
        self.stopping = True
        self._changed.set()
        self._finish_all()

    def _finish_all(self) -> None:
        for call in list(self.live):
            call.finish()

    def result(self) -> Numbers:
        """Give the numbers so far."""
        live = Counter(call.worker for call in self.live)
        return {
            "started": self.started,
            "live": len(self.live),
            "peak": self.peak,
            "ends": dict(self.ends),
            "details": {key: count for key, count in self.details.items() if count},
            "commands": self.commands,
            "seconds": time.perf_counter() - self._began,
            "cpu": time.process_time() - self._cpu,
            "workers": {name: {**ends, "live": live[name]} for name, ends in self.workers.items()},
            "buckets": {name: dict(found.buckets) for name, found in self.latency.items()},
        }

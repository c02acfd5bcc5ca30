"""The caller's audio, from pipes that a test fills: each is both Asterisk and the caller."""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import os
import subprocess
import sys
import threading
import wave
from array import array
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pystrix_typed
from pystrix_typed import agi
from pystrix_typed.agi.audio import rate_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = Path(pystrix_typed.__file__).parents[1]
VARIABLES = b"agi_request: menu.py\nagi_enhanced: 1.0\n\n"
FRAME = bytes(range(160)) * 2


def tone(level: float, samples: int = 160) -> bytes:
    """Give a sine of so much of full scale."""
    return array(
        "h", [round(32767 * level * math.sin(math.pi * n / 4)) for n in range(samples)]
    ).tobytes()


class Call:
    """One EAGI call: what Asterisk holds of it."""

    def __init__(self, variables: bytes = VARIABLES) -> None:
        self.stdin, self._replies = os.pipe()
        self._commands, self.stdout = os.pipe()
        self.audio, self._voice = os.pipe()
        os.set_blocking(self._voice, False)
        os.write(self._replies, variables)

    def say(self, data: bytes) -> None:
        """Speak: as Asterisk does, drop what does not fit."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._voice, data)

    def fall_silent(self) -> None:
        """End the audio."""
        os.close(self._voice)
        self._voice = -1

    def hear(self) -> bytes:
        """Take a command."""
        return os.read(self._commands, 1000)

    def reply(self, line: bytes) -> None:
        """Answer a command."""
        os.write(self._replies, line + b"\n")

    def open(self, *, rate: int | None = 8000) -> agi.EAGI:
        """Start a session on this call."""
        return agi.EAGI(
            rate=rate,
            stdin=self.stdin,
            stdout=self.stdout,
            audio=self.audio,
            redirect_stdout=False,
            handle_sighup=False,
        )

    def open_aio(self, *, rate: int | None = 8000) -> agi.aio.EAGI:
        """Start an asyncio session on this call."""
        return agi.aio.EAGI(
            rate=rate,
            stdin=self.stdin,
            stdout=self.stdout,
            audio=self.audio,
            redirect_stdout=False,
            handle_sighup=False,
        )

    def is_unheard(self) -> bool:
        """Tell whether the session has closed the audio."""
        try:
            os.write(self._voice, FRAME)
        except BrokenPipeError:
            return True
        return False

    def close(self) -> None:
        """End what the session has not."""
        mine = (self.stdin, self._replies, self._commands, self.stdout, self._voice)
        for descriptor in mine:
            if descriptor >= 0:
                os.close(descriptor)


@pytest.fixture
def call() -> Iterator[Call]:
    """Give a call that is ready for a session."""
    with contextlib.closing(Call()) as call:
        yield call


# ---- formats ----


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        (None, 8000),
        ("", 8000),
        ("slin", 8000),
        ("slin16", 16000),
        ("SLIN16", 16000),
        ("slin44", 44100),
        ("slin192", 192000),
        ("nonsense", 8000),
    ],
)
def test_rate(name: str | None, rate: int) -> None:
    assert rate_of(name) == rate


@pytest.mark.parametrize("name", ["ulaw", "G722", "opus"])
def test_encoded_audio_is_refused(name: str) -> None:
    with pytest.raises(agi.AGIError, match=f"EAGI_AUDIO_FORMAT is {name}, .* slin192"):
        rate_of(name)


def asked(call: Call, answer: bytes) -> threading.Thread:
    """Answer one question in the background."""

    def serve() -> None:
        assert call.hear() == b'GET VARIABLE "EAGI_AUDIO_FORMAT"\n'
        call.reply(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_the_rate_is_asked_once(call: Call) -> None:
    with call.open(rate=None) as session:
        thread = asked(call, b"200 result=1 (slin16)")
        audio = session.audio
        thread.join()
        assert audio is session.audio
    assert audio.rate == 16000


def test_the_rate_is_asked_at_the_start_of_an_asyncio_session(call: Call) -> None:
    async def main() -> int:
        async with call.open_aio(rate=None) as session:
            return session.audio.rate

    thread = asked(call, b"200 result=0")
    assert asyncio.run(main()) == 8000
    thread.join()


def test_the_rate_given_is_not_asked_for(call: Call) -> None:
    with call.open(rate=48000) as session:
        audio = session.audio
        assert (audio.rate, audio.sample_width, audio.channels) == (48000, 2, 1)
        assert audio.seconds(bytes(96000)) == 1.0
    for open_call in (call.open, call.open_aio):
        with pytest.raises(ValueError, match="rate must be positive, not 0"):
            open_call(rate=0)


def test_wave(call: Call) -> None:
    with call.open() as session:
        call.say(FRAME)
        call.fall_silent()
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setparams(session.audio.wave_parameters)
            for frame in session.audio:
                writer.writeframes(frame)
    file.seek(0)
    with wave.open(file, "rb") as reader:
        assert reader.getparams()[:4] == (1, 2, 8000, 160)
        assert reader.readframes(999) == FRAME


# ---- reading ----


def test_reading(call: Call) -> None:
    with call.open() as session:
        audio = session.audio
        call.say(bytes(640) + FRAME + b"\1\2\3\4\5")
        assert audio.read(0.02) == bytes(320)
        assert audio.read(timedelta(milliseconds=10)) == bytes(160)
        assert audio.read(samples=80) == bytes(160)
        assert audio.read_available() == FRAME + b"\1\2\3\4"
        assert audio.read_available() == b""
        call.say(b"\6" + FRAME)
        assert audio.read(samples=1) == b"\5\6"
        audio.discard()
        assert audio.read(1, timeout=0) == b""
        assert not audio.ended


def test_a_timeout_gives_what_is_there_and_loses_nothing(call: Call) -> None:
    with call.open() as session:
        audio = session.audio
        call.say(FRAME)
        assert audio.read(1, timeout=0.001) == FRAME
        call.say(b"\1")
        assert audio.read(1, timeout=timedelta(0)) == b""
        call.say(b"\2")
        assert audio.read(samples=1, timeout=0) == b"\1\2"


def test_the_end_of_the_audio(call: Call) -> None:
    with call.open() as session:
        audio = session.audio
        call.say(FRAME + bytes(10))
        call.fall_silent()
        assert list(audio) == [FRAME, bytes(10)]
        assert audio.ended
        assert audio.read(1) == b""
        assert audio.read_available() == b""


def test_frames_of_another_length(call: Call) -> None:
    with call.open(rate=16000) as session:
        call.say(FRAME * 4)
        call.fall_silent()
        assert [len(frame) for frame in session.audio.frames(0.03)] == [960, 320]


@pytest.mark.parametrize("wrong", [{}, {"seconds": 1, "samples": 8000}])
def test_one_measure_is_needed(call: Call, wrong: dict[str, int]) -> None:
    with call.open() as session, pytest.raises(TypeError, match="either seconds or samples"):
        session.audio.read(**wrong)


@pytest.mark.parametrize("wrong", [0, -1, 0.00001])
def test_something_must_be_asked_for(call: Call, wrong: float) -> None:
    with call.open() as session, pytest.raises(ValueError, match="at least one sample"):
        session.audio.read(wrong)


def test_memory_is_bounded(call: Call) -> None:
    """What nobody reads stays in the pipe, and what does not fit there is lost."""
    with call.open() as session:
        for _second in range(60):
            call.say(FRAME * 50)
        data = session.audio.read_available()
        assert len(data) <= 65536
        assert session.audio.read_available() == b""


@pytest.mark.parametrize(
    ("data", "level"),
    [
        (b"", -math.inf),
        (bytes(320), -math.inf),
        (b"\0\x80" * 160, 0.0),
        (tone(1.0), -3.01),
        (tone(0.1), -23.01),
        (array("h", [1, -1] * 80).tobytes(), -90.31),
    ],
)
def test_level(data: bytes, level: float) -> None:
    assert math.isclose(agi.Audio.level(data), level, abs_tol=0.01)


# ---- beside the commands, and when they end ----


def test_another_thread_reads_while_a_command_runs(call: Call) -> None:
    heard: list[bytes] = []
    enough = threading.Event()

    def listen() -> None:
        for frame in session.audio:
            heard.append(frame)
            if len(heard) == 3:
                enough.set()

    def serve() -> None:
        assert call.hear() == b"WAIT FOR DIGIT 5000\n"
        call.say(FRAME * 3)
        assert enough.wait(10)
        call.reply(b"200 result=53")

    with call.open() as session:
        assert session.audio.rate == 8000
        threads = [threading.Thread(target=listen), threading.Thread(target=serve)]
        for thread in threads:
            thread.start()
        assert session.execute(agi.core.WaitForDigit(5000)).digit == "5"
    # The session's end is the listener's.
    for thread in threads:
        thread.join(10)
    assert heard == [FRAME] * 3


def test_a_hangup_ends_the_audio(call: Call) -> None:
    """Asterisk leaves the pipe open; what it wrote before is still heard."""
    with call.open() as session:
        audio = session.audio
        call.say(FRAME)
        call.reply(b"HANGUP")
        assert session.hung_up
        assert audio.read(60) == FRAME
        assert audio.ended


def test_a_hangup_wakes_a_reader(call: Call) -> None:
    with call.open() as session:
        audio = session.audio
        reader = threading.Thread(target=lambda: list(audio))
        reader.start()
        call.reply(b"HANGUP")
        assert session.hung_up
        reader.join(10)
        assert not reader.is_alive()


def test_after_the_end(call: Call) -> None:
    session = call.open()
    audio = session.audio
    call.say(FRAME)
    session.close()
    session.close()
    assert audio.ended
    assert (audio.read(1), audio.read_available(), list(audio)) == (b"", b"", [])
    audio.discard()
    assert call.is_unheard()
    with pytest.raises(agi.AGIClosedError, match="no audio: the session was closed"):
        session.audio  # noqa: B018


def test_audio_that_nobody_asked_for_is_closed(call: Call) -> None:
    call.open().close()
    assert call.is_unheard()


@pytest.mark.parametrize("variables", [VARIABLES.replace(b"1.0", b"0.0"), VARIABLES])
def test_without_audio(variables: bytes) -> None:
    with contextlib.closing(Call(variables)) as call:
        if b"1.0" in variables:
            os.close(call.audio)
        with (
            call.open(rate=None) as session,
            pytest.raises(agi.AGIError, match=r"started with AGI\(\) .* only EAGI\(\)"),
        ):
            session.audio  # noqa: B018
        if b"0.0" in variables:
            os.close(call.audio)


def test_asyncio_without_audio() -> None:
    async def main(call: Call) -> None:
        session = call.open_aio(rate=None)
        with pytest.raises(RuntimeError, match="not started"):
            session.audio  # noqa: B018
        async with session:
            with pytest.raises(agi.AGIError, match=r"only EAGI\(\)"):
                session.audio  # noqa: B018
        with pytest.raises(agi.AGIClosedError):
            session.audio  # noqa: B018

    with contextlib.closing(Call(VARIABLES.replace(b"1.0", b"0.0"))) as call:
        asyncio.run(main(call))
        os.close(call.audio)


SCRIPT = """
import os, subprocess, sys
os.dup2(int(sys.argv[1]), 3)
os.close(int(sys.argv[1]))
from pystrix_typed import agi
with agi.EAGI(rate=8000) as session:
    subprocess.run("ls /proc/self/fd; cat <&3", shell=True, close_fds=False)
    print(len(session.audio.read(1)))
"""


def test_a_subprocess_cannot_take_the_audio(call: Call) -> None:
    call.say(FRAME)
    call.fall_silent()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(call.audio)],
        stdin=call.stdin,
        capture_output=True,
        pass_fds=[call.audio],
        env={"PYTHONPATH": str(PACKAGES), "PATH": os.environ["PATH"]},
        check=False,
        timeout=20,
    )
    os.close(call.audio)
    assert done.returncode == 0, done.stderr
    *listed, refused, read = done.stderr.decode().splitlines()
    assert listed == ["0", "1", "2", "3"]  # 3 is the folder itself
    assert "Bad" in refused
    assert read == "320"


# ---- asyncio ----


def test_asyncio_reading(call: Call) -> None:
    async def main() -> None:
        async with call.open_aio() as session:
            audio = session.audio
            call.say(bytes(320) + FRAME)
            assert await audio.read(0.02) == bytes(320)
            assert await audio.read(samples=999, timeout=0.001) == FRAME
            assert await audio.read(1, timeout=0) == b""
            call.say(FRAME)
            assert audio.read_available() == FRAME
            call.say(FRAME)
            audio.discard()
            call.say(FRAME * 2)
            call.fall_silent()
            assert [frame async for frame in audio] == [FRAME] * 2
            assert audio.ended

    asyncio.run(main())


def test_asyncio_reads_while_a_command_runs(call: Call) -> None:
    async def main() -> None:
        async with call.open_aio() as session, asyncio.TaskGroup() as group:
            key = group.create_task(session.execute(agi.core.WaitForDigit(5000)))
            heard = 0
            async for frame in session.audio:
                assert frame == FRAME
                heard += 1
                if heard == 3:
                    break
                call.say(FRAME)
            assert not key.done()
            assert await asyncio.to_thread(call.hear) == b"WAIT FOR DIGIT 5000\n"
            call.reply(b"200 result=53")
            assert (await key).digit == "5"

    call.say(FRAME)
    asyncio.run(main())


def test_a_cancelled_reading_loses_nothing(call: Call) -> None:
    async def main() -> None:
        async with call.open_aio() as session:
            audio = session.audio
            reading = asyncio.create_task(audio.read(1))
            await asyncio.sleep(0)
            call.say(FRAME)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert await audio.read(0.02) == FRAME

    asyncio.run(main())


def test_a_hangup_ends_the_audio_of_an_asyncio_session(call: Call) -> None:
    async def main() -> None:
        async with call.open_aio() as session:
            reading = asyncio.create_task(session.audio.read(60))
            await asyncio.sleep(0)
            call.say(FRAME)
            call.reply(b"HANGUP")
            assert await reading == FRAME
            assert session.audio.ended
            assert session.hung_up

    asyncio.run(main())


def test_closing_ends_the_reading_of_another_task(call: Call) -> None:
    async def main() -> None:
        async with call.open_aio() as session:
            audio = session.audio
            reading = asyncio.create_task(audio.read(60))
            await asyncio.sleep(0)
        assert await reading == b""
        assert audio.ended
        assert await audio.read(1) == audio.read_available() == b""
        assert audio.fileno() == -1

    asyncio.run(main())


def test_asyncio_refuses_encoded_audio_and_closes(call: Call) -> None:
    async def main() -> None:
        with pytest.raises(agi.AGIError, match="EAGI_AUDIO_FORMAT is ulaw"):
            await call.open_aio(rate=None).start()

    thread = asked(call, b"200 result=1 (ulaw)")
    asyncio.run(main())
    thread.join()
    assert b"VERBOSE" in call.hear()
    assert call.is_unheard()

"""The caller's audio on real calls: how much comes, when, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .calls import Far

if TYPE_CHECKING:
    from .calls import Ending
    from .exchange import Exchange

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "level_meter" / "level_meter.py"

BLOCKING = """
import threading, time
from pystrix_typed import agi
from pystrix_typed.agi import core

def tell(*values):
    session.execute(core.SetVariable("TOLD", " ".join(map(str, values))))

with agi.EAGI() as session:
    audio = session.audio
"""
ASYNCIO = """
import asyncio, time
from pystrix_typed import agi
from pystrix_typed.agi import core

async def main():
    async def tell(*values):
        await session.execute(core.SetVariable("TOLD", " ".join(map(str, values))))

    async with agi.aio.EAGI() as session:
        audio = session.audio
{body}
asyncio.run(main())
"""


def told(
    exchange: Exchange,
    source: str,
    *,
    far: Far,
    variables: dict[str, str] | None = None,
    eagi: bool = True,
) -> tuple[list[str], Ending]:
    """Run a script on a call; give what it told, and how the call ended."""
    script = exchange.script(source, "hears")
    with exchange.call(
        script, eagi=eagi, far=far, variables=variables or {}, watch=("TOLD",)
    ) as call:
        ending = call.wait(15)
    return ending.variables["TOLD"].split(), ending


TONE = Far().tone()


@pytest.mark.parametrize(
    ("name", "rate"), [("", 8000), ("slin16", 16000), ("SLIN48", 48000), ("nonsense", 8000)]
)
def test_the_rate_is_what_comes(latest: Exchange, name: str, rate: int) -> None:
    body = """
    audio.read(0.1)
    began = time.monotonic()
    size = len(audio.read(1))
    tell(audio.rate, size, time.monotonic() - began, audio.level(audio.read(0.2)))
"""
    (said, size, took, level), ending = told(
        latest, BLOCKING + body, far=TONE, variables={"EAGI_AUDIO_FORMAT": name} if name else {}
    )
    assert (int(said), int(size)) == (rate, 2 * rate)
    # What had piled up while the script was busy starting comes at once.
    assert 0.3 < float(took) < 1.3
    assert -30 < float(level) < -3
    assert ending.agi_status == "SUCCESS"


def test_a_rate_and_asyncio(latest: Exchange) -> None:
    body = """
        await audio.read(0.1)
        began = time.monotonic()
        size = len(await audio.read(1))
        await tell(audio.rate, size, time.monotonic() - began)
"""
    (rate, size, took), _ending = told(
        latest,
        ASYNCIO.format(body=body),
        far=TONE,
        variables={"EAGI_AUDIO_FORMAT": "slin16"},
    )
    assert (rate, size) == ("16000", "32000")
    assert 0.8 < float(took) < 1.3


def test_encoded_audio_is_refused(latest: Exchange) -> None:
    told_, ending = told(latest, BLOCKING, far=TONE, variables={"EAGI_AUDIO_FORMAT": "ulaw"})
    assert (told_, ending.agi_status) == ([], "FAILURE")


@pytest.mark.parametrize("kind", ["EAGI", "aio.EAGI"])
def test_agi_gives_no_audio(latest: Exchange, kind: str) -> None:
    source = BLOCKING if kind == "EAGI" else ASYNCIO.format(body="        pass")
    offset = latest.log_size()
    _told, ending = told(latest, source, far=TONE, eagi=False)
    assert ending.agi_status == "FAILURE"
    assert "AGIError: there is no audio: the script was started with AGI()" in latest.log(offset)


def test_silence_and_sound_are_told_apart(latest: Exchange) -> None:
    body = """
    levels = [audio.level(frame) for frame in audio.frames(0.1) if (n := len(frame)) == 1600]
    quiet = sum(level < -60 for level in levels)
    loud = sum(level > -40 for level in levels)
    tell(len(levels), quiet, loud)
"""
    far = Far().silence().wait(1).tone().wait(1).hangup()
    (pieces, quiet, loud), ending = told(latest, BLOCKING + body, far=far)
    assert 17 <= int(pieces) <= 21
    assert int(quiet) >= 8
    assert int(loud) >= 8
    # The hangup has ended the audio, though Asterisk leaves the pipe open.
    assert ending.agi_status == "HANGUP"


def test_a_muted_caller_and_a_hangup_that_nobody_tells(latest: Exchange) -> None:
    body = """
    audio.discard()
    quiet = len(audio.read(1, timeout=0.3))
    try:
        while True:
            audio.read(1, timeout=0.3)
            session.execute(core.ChannelStatus())
    except agi.AGIHangup:
        tell(quiet)
"""
    far = Far().mute().wait(1).hangup()
    (quiet,), ending = told(latest, BLOCKING + body, far=far, variables={"AGISIGHUP": "no"})
    assert int(quiet) < 1600
    assert ending.agi_status == "HANGUP"


def test_audio_beside_get_data(latest: Exchange) -> None:
    body = """
    audio.discard()
    heard = bytearray()
    def listen():
        for frame in audio:
            heard.extend(frame)
    threading.Thread(target=listen).start()
    began = time.monotonic()
    digits = session.execute(core.GetData("beep", 5000, 2)).digits
    took = time.monotonic() - began
    tell(digits, took, audio.seconds(heard), audio.level(heard))
"""
    far = Far().wait(1).press("4").tone().wait(0.5).press("2")
    (digits, took, heard, level), ending = told(latest, BLOCKING + body, far=far)
    assert digits == "42"
    assert abs(float(heard) - float(took)) < 0.6
    assert float(level) > -40
    assert ending.agi_status == "SUCCESS"


def test_audio_beside_get_data_with_asyncio(latest: Exchange) -> None:
    body = """
        audio.discard()
        entering = asyncio.create_task(session.execute(core.GetData("beep", 5000, 2)))
        entering.add_done_callback(lambda _: asyncio.create_task(tell_and_close()))
        async def tell_and_close():
            await tell(entering.result().digits, seconds)
            await session.close()
        seconds = 0.0
        async for frame in audio:
            seconds += audio.seconds(frame)
"""
    far = Far().tone().wait(1).press("42")
    (digits, heard), ending = told(latest, ASYNCIO.format(body=body), far=far)
    assert digits == "42"
    assert 0.5 < float(heard) < 3
    assert ending.agi_status == "SUCCESS"


def test_late_audio_is_old_and_bounded(latest: Exchange) -> None:
    """The pipe keeps about four seconds; what does not fit is lost."""
    body = """
    time.sleep(5)
    kept = audio.seconds(audio.read_available())
    audio.read(0.02)
    audio.discard()
    began = time.monotonic()
    audio.read(0.2)
    tell(kept, time.monotonic() - began)
"""
    (kept, waited), _ending = told(latest, BLOCKING + body, far=TONE)
    assert 3 < float(kept) <= 4.1
    assert 0.1 < float(waited) < 0.4


def test_sighup_wakes_a_reader(latest: Exchange) -> None:
    body = """
    began = time.monotonic()
    while audio.read(1):
        pass
    tell(session.hung_up, time.monotonic() - began)
"""
    for source in (BLOCKING + body, ASYNCIO.format(body=_awaited(body))):
        (hung_up, took), ending = told(latest, source, far=Far().mute().wait(1.2).hangup())
        assert hung_up == "True"
        assert float(took) < 2
        assert ending.agi_status == "HANGUP"


def _awaited(body: str) -> str:
    body = body.replace("audio.read(", "await audio.read(").replace("tell(", "await tell(")
    return body.replace("\n    ", "\n        ")


@pytest.mark.parametrize("talkative", [True, False])
def test_the_example(latest: Exchange, talkative: bool) -> None:
    script = latest.script(EXAMPLE.read_text(), "level-meter")
    far = Far().tone().wait(4) if talkative else Far().wait(0.3)
    offset = latest.log_size()
    with latest.call(
        script, eagi=True, far=far.press("1234"), watch=("ENTERED", "SPOKEN", "LOUDEST")
    ) as call:
        ending = call.wait(30)
    assert ending.agi_status == "SUCCESS", latest.log(offset)
    assert ending.variables["ENTERED"] == "1234"
    assert (float(ending.variables["LOUDEST"]) > -40) == talkative

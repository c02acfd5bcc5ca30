"""Speech recognition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.answers import Answer, Table, done
from pystrix_typed.testing.happening import Wait
from pystrix_typed.testing.speech import SpeechObject
from pystrix_typed.testing.tokens import leading_integer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.happening import Activity
    from pystrix_typed.testing.speech import Recognised

__all__ = ["SPEECH"]

SPEECH = Table()
#: Bytes after which the list of what was understood is cut.
_RESULT_BYTES = 4095


@SPEECH.command("SPEECH CREATE")
def _create(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    engine = channel.exchange.engine(arguments[0] if arguments else "")
    if engine is None or channel.dialogue.speech is not None:
        return done(0)
    channel.dialogue.speech = SpeechObject(engine)
    return done(1)


@SPEECH.command("SPEECH DESTROY")
def _destroy(channel: SimulatedChannel, _arguments: list[str]) -> Answer:
    existed = channel.dialogue.speech is not None
    channel.dialogue.speech = None
    return done(int(existed))


@SPEECH.command("SPEECH SET", 2)
def _set(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    speech = channel.dialogue.speech
    if speech is None:
        return done(0)
    name, value = arguments
    speech.settings[name] = value
    return done(1)


@SPEECH.command("SPEECH LOAD GRAMMAR", 2)
def _load(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    speech = channel.dialogue.speech
    return done(int(speech is not None and speech.load(*arguments)))


@SPEECH.command("SPEECH UNLOAD GRAMMAR", 1)
def _unload(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    speech = channel.dialogue.speech
    return done(int(speech is not None and speech.unload(arguments[0])))


@SPEECH.command("SPEECH ACTIVATE GRAMMAR", 1)
def _activate(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    speech = channel.dialogue.speech
    return done(int(speech is not None and speech.activate(arguments[0])))


@SPEECH.command("SPEECH DEACTIVATE GRAMMAR", 1)
def _deactivate(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    speech = channel.dialogue.speech
    return done(int(speech is not None and speech.deactivate(arguments[0])))


@SPEECH.command("SPEECH RECOGNIZE", 2)
def _recognize(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    speech = channel.dialogue.speech
    if speech is None:
        return done(0)
    timeout = leading_integer(arguments[1]) * 1000
    length = channel.exchange.sounds.length(arguments[0])
    prompt = None if length is None else channel.sound_begins("file", arguments[0])
    prompt_end = channel.now + (length or 0)
    while True:
        limit = channel.now + timeout if timeout > 0 else None
        until = limit if prompt is None else prompt_end
        happening = yield Wait(until, ("key", "voice", "words"))
        if happening.kind == "time" and prompt is not None:
            channel.sound_ends(prompt, whole=True)
            prompt = None
            continue
        if happening.kind == "voice":
            if not channel.speaking:
                continue
            # Who speaks is not timed out, and is not talked over.
            happening = yield Wait(None, ("key", "words", "voice"))
            if happening.kind == "voice":
                continue
        if prompt is not None:
            channel.sound_ends(prompt, whole=False)
        match happening.kind:
            case "key":
                return done(f"1 (digit) digit={happening.value} endpos=0")
            case "hangup":
                return done("1 (hangup) endpos=0")
            case "words":
                return done(_understood(speech.recognise(happening.value)))
            case _:
                return done("1 (timeout) endpos=0")


def _understood(results: Sequence[Recognised]) -> str:
    parts = [
        f'score{index}={result.score} text{index}="{result.text}" grammar{index}={result.grammar}'
        for index, result in enumerate(results)
    ]
    listed = " ".join(parts).encode("utf-8", "surrogateescape")[:_RESULT_BYTES]
    text = listed.decode("utf-8", "surrogateescape")
    return f"1 (speech) endpos=0 results={len(results)} {text}"

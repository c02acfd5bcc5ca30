"""What the calls of one simulated Asterisk share."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pystrix_typed.testing.happening import Happening, Wait

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.database import Database
    from pystrix_typed.testing.dialplan import Dialplan
    from pystrix_typed.testing.own import OwnAnswer
    from pystrix_typed.testing.release import Release
    from pystrix_typed.testing.sounds import Sounds
    from pystrix_typed.testing.speech import SpeechEngine

__all__ = ["FORMATS", "Application", "Exchange", "ReadFunction"]

#: What an application is: called with the channel and its options, it returns the application's
#: number (None for 0), or is a generator that waits for what happens and then returns it. A number
#: alone stands for an application that does nothing and returns that.
Application: TypeAlias = (
    int | Callable[["SimulatedChannel", str], int | Generator[Wait, Happening, int | None] | None]
)
#: A dialplan function: called with the channel and the text in the brackets; None when it fails.
ReadFunction: TypeAlias = Callable[["SimulatedChannel", str], str | None]

#: The file formats that an Asterisk usually knows.
FORMATS = frozenset(
    (
        "wav", "wav16", "wav49", "gsm", "ulaw", "ul", "mu", "pcm", "alaw", "al", "sln", "sln8",
        "sln12", "sln16", "sln24", "sln32", "sln44", "sln48", "sln96", "sln192", "g722", "g729",
        "g726-16", "g726-24", "g726-32", "g726-40", "ogg", "siren7", "siren14", "ilbc", "g723",
        "vox",
    )
)  # fmt: skip


@dataclass
class Exchange:
    """The shared state of an exchange: what one call leaves, the next one finds.

    Attributes:
        release: Its version.
        sounds: Its sound files, those recorded included.
        database: AstDB.
        dialplan: Its extensions.
        globals: The global variables.
        applications: Applications beside those that are built in, by name in small letters.
        functions: Functions beside those that are built in, by name.
        engines: Speech engines; the first is the default one.
        channels: The states of other channels, by name in small letters.
        missing_modules: Modules that are not loaded, as in ``app_stack.so``.
        documented: Whether the documentation is loaded that usage texts are from.
        folders: The folders that RECORD FILE can write into, None for any.
        answers: What commands of modules of one's own answer, by name.
        recorded: The length of each file that was recorded, in samples, by name and format.
        epoch: When a call begins, in seconds since 1970.
        calls: How many calls there have been.
    """

    release: Release
    sounds: Sounds
    database: Database
    dialplan: Dialplan
    globals: dict[str, str] = field(default_factory=dict[str, str])
    applications: dict[str, Application] = field(default_factory=dict[str, Application])
    functions: dict[str, ReadFunction] = field(default_factory=dict[str, ReadFunction])
    engines: tuple[SpeechEngine, ...] = ()
    channels: dict[str, int] = field(default_factory=dict[str, int])
    missing_modules: frozenset[str] = frozenset()
    documented: bool = True
    folders: frozenset[str] | None = None
    answers: dict[str, OwnAnswer] = field(default_factory=dict[str, "OwnAnswer"])
    recorded: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    epoch: int = 0
    calls: int = 0

    def engine(self, name: str) -> SpeechEngine | None:
        """Find a speech engine; an empty name is the default one."""
        for engine in self.engines:
            if name in ("", engine.name):
                return engine
        return None

"""A demo call through a real Asterisk, with the exchange that the project's own tests use."""

from __future__ import annotations

import sys
from importlib import import_module
from queue import Empty
from typing import TYPE_CHECKING, Protocol

from pystrix_typed.cli import checkout
from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pystrix_typed.cli.wiretap import Wiretap

__all__ = ["place"]

CALLER = ("5550123", "Ada Lovelace")
SECONDS = 20.0


class _Call(Protocol):
    """What is used of a call of the exchange's."""

    def press(self, keys: str) -> None: ...

    def hangup(self) -> None: ...


class _Exchange(Protocol):
    """What is used of the exchange."""

    version: str

    def call(self, agi: str, *, caller: tuple[str, str]) -> AbstractContextManager[_Call]: ...


def place(wire: Wiretap, script: str, *, keys: Mapping[str, str], last_command: str) -> None:
    """Call through the wiretap, press the keys at their prompts, hang up at the last command.

    Raises:
        Problem: There is no Asterisk here, or it does not work.
    """
    root = _root()
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    # The tests do not travel with the package, so nothing here can name them when it is checked.
    exchange_module = import_module("tests.asterisk.exchange")
    failures: tuple[type[Exception], ...] = (exchange_module.ExchangeError, TimeoutError)
    exchange: AbstractContextManager[_Exchange] = exchange_module.Exchange(_release(root))
    caller: tuple[str, str] = import_module("tests.asterisk.calls").Caller(*CALLER)
    url = f"agi://{wire.address[0]}:{wire.address[1]}/{script}"
    try:
        with exchange as asterisk, asterisk.call(url, caller=caller) as call:
            print(f"A call through Asterisk {asterisk.version}.")
            while (command := wire.commands.get(timeout=SECONDS)) is not None:
                if command.startswith(last_command):
                    call.hangup()
                for prompt, pressed in keys.items():
                    if f'"{prompt}"' in command:
                        call.press(pressed)
    except Empty as silence:
        raise Problem(f"nothing was said for {SECONDS:g} seconds") from silence
    except failures as error:
        raise Problem(f"Asterisk failed: {error}") from error


def _root() -> Path:
    """Give the working tree, if a real Asterisk can run from it."""
    if not sys.platform.startswith("linux"):
        raise Problem("--asterisk needs Linux", status=2)
    root = checkout.find()
    if root is None or not (root / "tests" / "asterisk" / "exchange.py").is_file():
        raise Problem(
            "--asterisk needs the project's working tree, whose tests bring an Asterisk along: "
            "clone it, and run this there as root",
            status=2,
        )
    return root


def _release(root: Path) -> object:
    """Give the release to call through, if it is there and can be started."""
    provision = import_module("tests.asterisk.provision")
    release = provision.RELEASES[0]
    reason: str | None = import_module("tests.asterisk.isolation").why_not_possible()
    if reason is not None:
        raise Problem(f"a real Asterisk {reason}", status=2)
    if provision.installed_version(release.root) is None:
        raise Problem(
            f"Asterisk {release.major} is not there yet: run, as root, "
            f"python {root / 'tests' / 'asterisk' / 'provision.py'} {release.major}",
            status=2,
        )
    return release

"""A demo call through a real Asterisk, with the exchange that the project's own tests use."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from pystrix_typed.cli import checkout
from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from pystrix_typed.cli.wiretap import Wiretap

__all__ = ["place"]


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
    with _exchange() as exchange:
        print(f"Asterisk {exchange.version} places the call.")
        url = f"agi://{wire.address[0]}:{wire.address[1]}/{script}"
        with exchange.call(url, caller=("5550123", "Ada Lovelace")) as call:
            while (command := wire.commands.get()) is not None:
                if command.startswith(last_command):
                    call.hangup()
                for prompt, pressed in keys.items():
                    if f'"{prompt}"' in command:
                        call.press(pressed)


def _exchange() -> AbstractContextManager[_Exchange]:
    root = checkout.find()
    if root is None or not (root / "tests" / "asterisk").is_dir():
        raise Problem(
            "--asterisk needs the project's working tree, whose tests bring an Asterisk along: "
            "clone it and run this there",
            status=2,
        )
    if not sys.platform.startswith("linux"):
        raise Problem("--asterisk needs Linux", status=2)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    # These do not travel with the package, so nothing here can name them when it is checked.
    isolation = import_module("tests.asterisk.isolation")
    provision = import_module("tests.asterisk.provision")
    reason: str | None = isolation.why_not_possible()
    if reason is not None:
        raise Problem(f"a real Asterisk {reason}", status=2)
    release = provision.RELEASES[0]
    if provision.installed_version(release.root) is None:
        raise Problem(
            f"Asterisk {release.major} is not there yet: run, as root, "
            f"python {root / 'tests' / 'asterisk' / 'provision.py'} {release.major}",
            status=2,
        )
    exchange: AbstractContextManager[_Exchange] = import_module("tests.asterisk.exchange").Exchange(
        release
    )
    return exchange

"""The server that a program names: ``package.module:server``."""

from __future__ import annotations

import importlib
import sys
import traceback
from inspect import iscoroutine
from typing import TYPE_CHECKING, TypeAlias

from pystrix_typed.agi.aio.server import FastAGIServer as AioServer
from pystrix_typed.agi.server import FastAGIServer

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AnyServer", "Unservable", "load"]

AnyServer: TypeAlias = FastAGIServer | AioServer


class Unservable(Exception):
    """The target is no server; the message is one line that says why."""


def load(target: str, folder: Path) -> AnyServer:
    """Import a server.

    Args:
        target: ``module:attribute``; the attribute is a server, or a function that makes one, and
            ``server`` when it is left out.
        folder: Where modules are looked for first.

    Raises:
        Unservable: There is no such module or attribute, importing fails, or it is no server.
    """
    name, _, attribute = target.partition(":")
    attribute = attribute or "server"
    if not name or not all(part.isidentifier() for part in [*name.split("."), attribute]):
        raise Unservable(f"{target!r} is not of the form package.module:server")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise Unservable(f"there is no module {name!r} in {folder} or installed") from None
        raise Unservable(_told(f"importing {name!r} failed", error)) from error
    except BaseException as error:
        raise Unservable(_told(f"importing {name!r} failed", error)) from error
    try:
        found: object = getattr(module, attribute)
    except AttributeError:
        raise Unservable(f"the module {name!r} has no {attribute!r}") from None
    if isinstance(found, (FastAGIServer, AioServer)):
        return found
    if not callable(found):
        raise Unservable(f"{target} is no FastAGIServer, but of the type {type(found).__name__}")
    try:
        made: object = found()
    except BaseException as error:
        raise Unservable(_told(f"calling {target} failed", error)) from error
    if isinstance(made, (FastAGIServer, AioServer)):
        return made
    if iscoroutine(made):
        made.close()  # or Python would warn that nobody has awaited it
    raise Unservable(
        f"{target} gave no FastAGIServer, but what is of the type {type(made).__name__}"
    )


def _told(what: str, error: BaseException) -> str:
    """Name an exception and the last place in the program that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [frame for frame in frames if "importlib" not in frame.filename]
    where = f" ({places[-1].filename}, line {places[-1].lineno})" if places else ""
    said = str(error)
    if isinstance(error, SyntaxError):
        said, where = error.msg, f" ({error.filename}, line {error.lineno})"
    kind = type(error).__name__
    return " ".join(f"{what}: {kind}{said and ': '}{said}{where}".splitlines())

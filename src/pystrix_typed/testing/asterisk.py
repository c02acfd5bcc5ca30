"""`SimulatedAsterisk`: the exchange that a test makes, and the calls that it places."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
from typing import TYPE_CHECKING

from pystrix_typed.testing.call import SimulatedCall, environment_of
from pystrix_typed.testing.caller import Caller
from pystrix_typed.testing.channel import RINGING, UP, Identity, Location, SimulatedChannel
from pystrix_typed.testing.database import Database
from pystrix_typed.testing.dialplan import Dialplan
from pystrix_typed.testing.exchange import Exchange
from pystrix_typed.testing.functions import write
from pystrix_typed.testing.options import CallOptions, check_options
from pystrix_typed.testing.release import Release
from pystrix_typed.testing.sounds import Sounds
from pystrix_typed.testing.speech import SpeechEngine
from pystrix_typed.testing.timeline import Timeline
from pystrix_typed.testing.transports import PATIENCE, THINKING, SocketConnection, converse, run

if TYPE_CHECKING:
    import re
    from collections.abc import Collection, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path
    from typing import Unpack

    from pystrix_typed.agi.catalogue_model import Command
    from pystrix_typed.testing.exchange import Application, ReadFunction
    from pystrix_typed.testing.faults import Fault
    from pystrix_typed.testing.handlers import AsyncHandler, Handler
    from pystrix_typed.testing.own import OwnAnswer

__all__ = ["SimulatedAsterisk"]

#: 2026-01-01, 00:00 UTC: when calls begin.
_EPOCH = 1_767_225_600


class SimulatedAsterisk:
    """An Asterisk that is not there: it answers an AGI session as a real one does.

    ::

        asterisk = SimulatedAsterisk(sounds={"welcome": 2.5, "menu": 4.0})
        call = asterisk.call(handler, caller=Caller().hears("menu").presses("1"))
        assert call.played == ["welcome", "menu"]

    What one call leaves in its database, its global variables and its recordings, the next one
    finds. Time is virtual: it passes only while a command waits, and then at once.

    Args:
        version: Which Asterisk it is; it has the commands, arguments, limits and words of that one.
        sounds: Seconds that each sound file plays, by the name that the script uses; None for a
            file that cannot be played. Or a folder of sound files, which are measured. If it is
            left out every name is a sound, and plays for 0.6 seconds.
        core_sounds: Whether ``beep`` and the files that SAY commands speak with are there too.
        database: What is in AstDB, by family and key.
        dialplan: Routines for GOSUB and labels for SET PRIORITY, in the words of
            ``extensions.conf``.
        globals: Global variables.
        applications: Dialplan applications for EXEC, by name: ``application(channel, options)``
            returns the application's number, or None for 0. One that takes time is a generator
            (see `pystrix_typed.testing.happening`). A number stands for an application that
            returns it.
        functions: Dialplan functions to read: ``function(channel, argument)`` returns the value.
        speech: Speech engines; the first one is the default.
        channels: Other channels, by name, and the state that each is in.
        missing_modules: Modules that are not loaded, as in ``app_stack.so``, which brings GOSUB.
        documented: Whether Asterisk has its documentation loaded, which a usage error quotes.
        folders: The folders that RECORD FILE may write into; None for any.
        commands: Commands of a module of your own: ``catalogue.COMMANDS`` of the package that was
            generated from its spec. Each answers the example of its first outcome that is no
            failure.
        answers: What such a command answers instead, by its name: a reply as in
            ``"200 result=1"``, or ``answer(channel, arguments)``, which gives one.
        faults: What goes wrong in every call.

    Raises:
        ValueError: The version is none, or a line of the dialplan is not understood.
        NotADirectoryError: There is no such folder of sounds.
    """

    def __init__(
        self,
        version: str = "22.10.1",
        *,
        sounds: Mapping[str, float | None] | str | Path | None = None,
        core_sounds: bool = True,
        database: Mapping[tuple[str, str], str] | None = None,
        dialplan: str = "",
        globals: Mapping[str, str] | None = None,  # noqa: A002 - Asterisk's own word for them
        applications: Mapping[str, Application] | None = None,
        functions: Mapping[str, ReadFunction] | None = None,
        speech: SpeechEngine | Sequence[SpeechEngine] = (),
        channels: Mapping[str, int] | None = None,
        missing_modules: Collection[str] = (),
        documented: bool = True,
        folders: Collection[str] | None = None,
        commands: Sequence[Command] = (),
        answers: Mapping[str, OwnAnswer] | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.exchange: Exchange = Exchange(
            release=Release(version, commands),
            sounds=Sounds(sounds, core=core_sounds),
            database=Database(database),
            dialplan=Dialplan(dialplan),
            globals=dict(globals or {}),
            applications={name.lower(): each for name, each in (applications or {}).items()},
            functions=dict(functions or {}),
            engines=(speech,) if isinstance(speech, SpeechEngine) else tuple(speech),
            channels={name.lower(): state for name, state in (channels or {}).items()},
            missing_modules=frozenset(missing_modules),
            documented=documented,
            folders=None if folders is None else frozenset(folders),
            answers={name.upper(): each for name, each in (answers or {}).items()},
            epoch=_EPOCH,
        )
        self._faults = tuple(faults)

    @property
    def version(self) -> str:
        """Which Asterisk it is."""
        return self.exchange.release.version

    @property
    def database(self) -> Database:
        """AstDB, to look into and to change: a mapping of ``(family, key)``."""
        return self.exchange.database

    @property
    def globals(self) -> dict[str, str]:
        """The global variables."""
        return self.exchange.globals

    def prepare(
        self,
        script: str | None = "",
        *,
        request: str | None = None,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        """Make a call without driving it: what the other methods begin with.

        Args:
            script: Path and query of ``agi://host/path?query``, without the slash in front; None
                for a script that is run, and not reached over FastAGI.
            request: The first argument of ``AGI()``; by default the address.
            **options: See `CallOptions`.
        """
        check_options(script, options)
        exchange = self.exchange
        exchange.calls += 1
        caller = options.get("caller") or Caller()
        extension = options.get("extension", "100")
        channel = SimulatedChannel(
            exchange=exchange,
            timeline=Timeline(),
            name=options.get("channel", f"PJSIP/caller-{exchange.calls:08x}"),
            unique_id=f"{exchange.epoch}.{exchange.calls}",
            identity=options.get("identity", Identity(caller.number, caller.name, extension)),
            location=Location(
                options.get("context", "default"), extension, options.get("priority", 1)
            ),
            state=UP if options.get("answered", False) else RINGING,
            language=options.get("language", "en"),
            text_support=options.get("text_support", True),
        )
        for name, value in options.get("variables", {}).items():
            if not (name.endswith(")") and write(channel, name, value)):
                channel.variables[name] = value
        if request is None:
            request = f"agi://127.0.0.1/{script}" if script is not None else ""
        eagi = options.get("eagi", False)
        arguments = options.get("arguments", ())
        return SimulatedCall(
            channel,
            caller,
            environment_of(channel, request, script, arguments, eagi=eagi),
            network=script is not None,
            eagi=eagi,
            faults=(*self._faults, *options.get("faults", ())),
            limit=options.get("limit", 3600.0),
            dead=options.get("dead", False),
        )

    def call(
        self,
        handler: Handler,
        script: str = "",
        *,
        pattern: str | re.Pattern[str] | None = None,
        timeout: float | timedelta | None = None,
        verify_values: bool = False,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        """Call a blocking handler, in this process and thread.

        Args:
            handler: ``handler(session)``, ``handler(session, request)`` or pystrix's
                ``handler(session, args, kwargs, match, path)``; or a `FastAGIServer`, whose handler
                for the script's path is called (its limits and observers have no part in it).
            script: Path and query of ``agi://host/path?query``, without the slash in front.
            pattern: What the handler is registered for, if it looks at the match.
            timeout: The session's deadline for each command, as a server's ``command_timeout``.
            verify_values: As a server's.
            check: Raise what went wrong; if not, it is in the call's `error` and `failure`.
            **options: See `CallOptions`.

        Raises:
            CallerError: The caller waited in vain, or the call would never have ended.
            Exception: What the handler raised, but for `AGIHangup`.
        """
        from pystrix_typed.testing.handlers import drive

        __tracebackhide__ = True
        made = self.prepare(script, **options)
        drive(made, handler, pattern=pattern, timeout=timeout, verify_values=verify_values)
        return _ended(made, check)

    async def call_async(
        self,
        handler: AsyncHandler,
        script: str = "",
        *,
        pattern: str | re.Pattern[str] | None = None,
        timeout: float | timedelta | None = None,
        verify_values: bool = False,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        """Call an asyncio handler, in this task.

        Until it has ended the running loop's time is virtual: `asyncio.sleep` and
        `asyncio.timeout` go by it too.

        Args:
            handler: As for `call`, but a coroutine function, or an `aio.FastAGIServer`.
            script: See `call`.
            pattern: See `call`.
            timeout: See `call`.
            verify_values: See `call`.
            check: See `call`.
            **options: See `CallOptions`.

        Raises:
            CallerError: The caller waited in vain, or the call would never have ended.
            RuntimeError: The loop is not one of asyncio's own, so its time cannot be virtual.
            Exception: What the handler raised, but for `AGIHangup`.
        """
        from pystrix_typed.testing.handlers import drive_async

        __tracebackhide__ = True
        made = self.prepare(script, **options)
        await drive_async(
            made, handler, pattern=pattern, timeout=timeout, verify_values=verify_values
        )
        return _ended(made, check)

    def call_server(
        self,
        host: str = "127.0.0.1",
        port: int = 4573,
        script: str = "",
        *,
        speed: float = 0.0,
        thinking: float = THINKING,
        patience: float = PATIENCE,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        """Call a FastAGI server over TCP, whatever it is written in.

        Args:
            host: Where it listens.
            port: Its port.
            script: See `call`.
            speed: Virtual seconds in a real one: 1 for a call that takes its time, 0 for one that
                takes none.
            thinking: Real seconds of silence after which virtual time goes on in the script's
                turn.
            patience: Real seconds to wait for the connection, and for a script that is silent when
                nothing more can happen.
            check: Raise what went wrong with the caller.
            **options: See `CallOptions`.

        Raises:
            CallerError: The caller waited in vain, or the call would never have ended.
            OSError: Nobody listens there.
        """
        shown = f"[{host}]" if ":" in host else host
        made = self.prepare(script, request=f"agi://{shown}:{port}/{script}", **options)
        connection = socket.create_connection((host, port), patience)
        return self._converse(made, connection, speed, thinking, patience, check)

    async def call_server_async(
        self,
        host: str = "127.0.0.1",
        port: int = 4573,
        script: str = "",
        *,
        speed: float = 0.0,
        thinking: float = THINKING,
        patience: float = PATIENCE,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        """Call a FastAGI server over TCP while the loop goes on, in which it may well run.

        The loop's time stays real. See `call_server`.
        """
        return await asyncio.to_thread(
            functools.partial(
                self.call_server,
                host,
                port,
                script,
                speed=speed,
                thinking=thinking,
                patience=patience,
                check=check,
                **options,
            )
        )

    def call_socket(
        self,
        connection: socket.socket,
        script: str = "",
        *,
        speed: float = 0.0,
        thinking: float = THINKING,
        patience: float = PATIENCE,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        """Call whoever holds the other end of a connected socket, as of `socket.socketpair`.

        See `call_server`. The socket is closed in the end.
        """
        made = self.prepare(script, **options)
        return self._converse(made, connection, speed, thinking, patience, check)

    @staticmethod
    def _converse(
        made: SimulatedCall,
        connection: socket.socket,
        speed: float,
        thinking: float,
        patience: float,
        check: bool,
    ) -> SimulatedCall:
        end = SocketConnection(connection)
        converse(made, end, speed=speed, thinking=thinking, patience=patience)
        if check:
            made.raise_errors()
        return made

    def run_script(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        environment: Mapping[str, str] | None = None,
        folder: str | os.PathLike[str] | None = None,
        speed: float = 0.0,
        thinking: float = THINKING,
        patience: float = PATIENCE,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        """Start an AGI script and talk to it over pipes; at the hangup it gets SIGHUP.

        Args:
            command: The program and its own arguments, as in ``[sys.executable, "script.py"]``.
            environment: Variables of the environment, beside this process's own.
            folder: Where it runs.
            speed: See `call_server`.
            thinking: See `call_server`.
            patience: See `call_server`; the script also has so long to exit after the call.
            check: Raise what went wrong with the caller.
            **options: See `CallOptions`.

        Returns:
            The call; its `stderr` is what the script wrote there.

        Raises:
            CallerError: The caller waited in vain, the call would never have ended, or the script
                did not exit.
            NotImplementedError: This is Windows, where there is no SIGHUP.
        """
        words = [os.fspath(word) for word in command]
        made = self.prepare(None, request=words[-1], **options)
        made.stderr = run(
            made,
            words,
            environment=environment,
            folder=folder,
            speed=speed,
            thinking=thinking,
            patience=patience,
        )
        if check:
            made.raise_errors()
        return made


def _ended(made: SimulatedCall, check: bool) -> SimulatedCall:
    __tracebackhide__ = True
    if check:
        made.raise_errors()
    return made

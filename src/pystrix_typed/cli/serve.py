"""``pystrix-typed serve``: a server of yours in several processes."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from pystrix_typed.agi import logs
from pystrix_typed.agi.health import HealthServer
from pystrix_typed.agi.limits import Limits, networks
from pystrix_typed.agi.options import check_address, check_drain
from pystrix_typed.cli.problem import Problem
from pystrix_typed.serving import listening
from pystrix_typed.serving.notify import Notifier
from pystrix_typed.serving.reload import Watch
from pystrix_typed.serving.target import Unservable
from pystrix_typed.serving.worker import Plan

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path

    from pystrix_typed.serving.master import Master

__all__ = ["Service", "serve"]


class Service(NamedTuple):
    """What the command line says; the options' own words describe each."""

    target: str
    folder: Path
    host: str
    port: int
    workers: int
    drain: float
    recycle_after: int
    reload: bool
    uvloop: bool
    max_calls: int | None
    queue: int | None
    max_handshakes: int | None
    handshake_timeout: float | None
    max_environment: int | None
    max_reply: int | None
    idle_timeout: float | None
    command_timeout: float | None
    keepalive: float | None
    backlog: int
    allow: Sequence[str]
    proxy: Sequence[str]
    health: str
    metrics: bool
    log_format: str
    log_level: str
    trace: bool
    record: Path | None


def serve(service: Service) -> int:
    """Serve until a signal ends it; give the exit status.

    Raises:
        Problem: It cannot begin.
    """
    if sys.platform == "win32":
        raise Problem("serving with processes needs fork, which Windows does not have", status=2)
    try:
        logs.configure("json" if service.log_format == "json" else "text", service.log_level)
        plan = _plan(service)
    except ValueError as error:
        raise Problem(str(error), status=2) from None
    if service.uvloop and find_spec("uvloop") is None:
        raise Problem("--uvloop needs its extra: pip install 'pystrix-typed[uvloop]'", status=2)
    if service.metrics and find_spec("prometheus_client") is None:
        raise Problem("--metrics needs its extra: pip install 'pystrix-typed[metrics]'", status=2)
    if service.metrics and not service.health:
        raise Problem("--metrics needs --health: they are read there", status=2)
    listener, owned = _port(service)
    notifier = Notifier()
    folder: Path | None = None
    if service.metrics:
        from pystrix_typed.agi import metrics

        folder = metrics.prepare()
    try:
        with listener:
            return _run(service, plan, listener, owned, notifier, folder)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _run(
    service: Service,
    plan: Plan,
    listener: socket.socket,
    owned: bool,
    notifier: Notifier,
    folder: Path | None,
) -> int:
    # Late, for it needs the signals of POSIX, whose lack is said above.
    from pystrix_typed.serving.master import Master

    health: HealthServer | None = None
    master: Master | None = None

    def ready() -> tuple[bool, str]:
        return (False, "starting") if master is None else master.ready()

    def exposition() -> bytes:
        from pystrix_typed.agi.metrics import aggregated

        assert folder is not None
        return aggregated(folder)

    if service.health:
        host, port = _address(service.health)
        health = HealthServer(host, port, ready, exposition if folder is not None else None)
        try:
            health.bind()
        except OSError as error:
            raise Problem(f"cannot listen on {service.health}: {listening.reason(error)}") from None
    master = Master(
        plan,
        workers=service.workers,
        listener=listener,
        owned=owned,
        backlog=service.backlog,
        notifier=notifier,
        health=health,
        metrics=folder,
        watch=Watch(service.folder) if service.reload else None,
    )
    try:
        master.run()
    except Unservable as error:
        raise Problem(str(error)) from None
    return 0


def _plan(service: Service) -> Plan:
    limits: dict[str, Any] = {"backlog": service.backlog}
    for name in (
        "max_calls",
        "queue",
        "max_handshakes",
        "handshake_timeout",
        "max_environment",
        "max_reply",
        "idle_timeout",
        "command_timeout",
        "keepalive",
    ):
        value: object = getattr(service, name)
        if value is not None:
            # 0 seconds is how a command line says "never".
            limits[name] = None if value == 0 and name.endswith("_timeout") else value
    if service.allow:
        limits["allowed_networks"] = networks(service.allow)
    if service.proxy:
        limits["proxies"] = networks(service.proxy)
    Limits(**limits)  # or each worker would find out what is wrong
    check_drain(service.drain)
    check_address(service.host, service.port)
    return Plan(
        target=service.target,
        folder=service.folder.resolve(),
        limits=limits,
        drain=service.drain,
        recycle_after=service.recycle_after,
        log_format=service.log_format,
        log_level=service.log_level,
        trace=service.trace,
        record=service.record.resolve() if service.record else None,
        metrics=service.metrics,
        uvloop=service.uvloop,
    )


def _port(service: Service) -> tuple[socket.socket, bool]:
    """Give the listening socket, and whether it is ours to close."""
    try:
        given = listening.inherited()
        if given is not None:
            return given, False
        return listening.bind(service.host, service.port, service.backlog), True
    except OSError as error:
        place = f"{service.host}:{service.port}"
        raise Problem(f"cannot listen on {place}: {listening.reason(error)}") from None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise Problem(f"{text!r} is not of the form host:port", status=2)
    return host.strip("[]") or "127.0.0.1", int(port)

"""``pystrix-typed doctor``: what on this machine keeps calls from working, and what to do.

It changes nothing, unless Asterisk is to place a call. Looking at a server places one call to it;
looking at a script starts its Python, but not the script.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pystrix_typed
from pystrix_typed.cli.finding import Finding
from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["EXTRAS", "doctor", "examine"]

#: What each extra brings, by the name of a module.
EXTRAS: dict[str, tuple[str, ...]] = {
    "cli": ("typer", "rich"),
    "codegen": ("jinja2", "yaml", "pydantic", "ruff"),
    "metrics": ("prometheus_client",),
    "otel": ("opentelemetry",),
    "testing": ("hypothesis", "pytest"),
    "uvloop": ("uvloop",),
}
_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(
    *,
    config: Path | None,
    scripts: Sequence[Path],
    servers: Sequence[str],
    through: bool,
    as_json: bool,
) -> int:
    """Look at everything, print what was found, and give the exit status.

    Args:
        config: The ``asterisk.conf``, or its folder, if it is not where it usually is.
        scripts: AGI scripts to look at, besides those in Asterisk's folder for them.
        servers: FastAGI servers to look at, by their addresses.
        through: Whether the running Asterisk is to call them, too.
        as_json: Print one JSON object, for programs.

    Raises:
        Problem: What was named cannot be looked at.
    """
    if through and not servers:
        raise Problem("--through-asterisk calls the servers: name one with --server", status=2)
    found: list[Finding] = []
    for finding in examine(config=config, scripts=scripts, servers=servers, through=through):
        found.append(finding)
        if not as_json:
            _show(finding)
    problems = sum(each.status == "problem" for each in found)
    warnings = sum(each.status == "warning" for each in found)
    if as_json:
        findings = [each._asdict() for each in found]
        data = {"problems": problems, "warnings": warnings, "findings": findings}
        print(json.dumps(data, indent=2))
    else:
        print(f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}.")
    return 1 if problems else 0


def examine(
    *, config: Path | None, scripts: Sequence[Path], servers: Sequence[str], through: bool = False
) -> Iterator[Finding]:
    """Give what there is to say, one after the other; see `doctor`."""
    yield from _python()
    console: Path | None = None
    if sys.platform != "win32":
        from pystrix_typed.cli import doctor_asterisk, doctor_script

        machine = doctor_asterisk.look(config)
        console = machine.console
        yield from machine.findings
        for script in _installed(machine.agi_bin):
            yield from doctor_script.examine(script, machine.user, machine.environment, asked=False)
        for script in scripts:
            yield from doctor_script.examine(script, machine.user, machine.environment, asked=True)
    for server in servers:
        from pystrix_typed.cli import doctor_server, doctor_through

        yield from doctor_server.examine(server)
        if through:
            yield doctor_through.examine(server, console)


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    yield Finding("python", "ok", f"{sys.executable} is Python {version}")
    there = [name for name, needs in EXTRAS.items() if all(map(find_spec, needs))]
    text = f"pystrix-typed {pystrix_typed.__version__} in {Path(pystrix_typed.__file__).parent}"
    if there:
        text += f", with the extras {', '.join(there)}"
    missing = [name for name in EXTRAS if name not in there]
    if missing:
        text += f" and without {', '.join(missing)}"
    yield Finding("package", "ok", text)


def _installed(folder: Path | None) -> list[Path]:
    """Give the scripts in a folder."""
    try:
        return sorted([path for path in folder.iterdir() if path.is_file()]) if folder else []
    except OSError:
        return []


def _show(finding: Finding) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    style = _STYLES[finding.status]
    console.print(Text.assemble((f"{finding.status:<9}", style), finding.text))
    if finding.advice:
        console.print(Text(f"{'':9}-> {finding.advice}"))


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"

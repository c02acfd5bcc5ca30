"""The environments that are measured: each library installed from its package, alone."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Place", "machine", "place", "pythons"]

ROOT = Path(__file__).resolve().parents[1]
PLACES = ROOT / "build" / "bench"


@dataclass(frozen=True)
class Place:
    """One environment.

    Attributes:
        python: Its interpreter.
        version: What is installed, with its version; why it does not run, if it does not.
        runs: Whether the library can be imported.
    """

    python: Path
    version: str
    runs: bool = True


def place(name: str, module: str, *requirements: str, python: str = sys.executable) -> Place:
    """Make an environment, or take the one that is there; the project itself is always renewed.

    Args:
        name: The folder's name.
        module: What must be importable in it; empty for nothing.
        requirements: What to install.
        python: The interpreter to make it of.
    """
    version = subprocess.run(
        [python, "-c", "import platform; print(platform.python_version())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    folder = PLACES / version / name
    inside = folder / "bin" / "python"
    fresh = not (folder / "complete").exists()
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    own = str(ROOT) in requirements
    if requirements and (fresh or own):
        others = [each for each in requirements if each != str(ROOT)]
        if own:
            _install(inside, "--no-deps", "--reinstall", str(ROOT))
        if others and fresh:
            _install(inside, *others)
    (folder / "complete").touch()
    if not module:
        return Place(inside, f"Python {version}")
    tried = subprocess.run(
        [
            str(inside),
            "-c",
            f"import importlib.metadata as m, {module}; print(m.version({_name(requirements)!r}))",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    if tried.returncode:
        return Place(inside, tried.stderr.strip().splitlines()[-1], runs=False)
    return Place(inside, f"{_name(requirements)} {tried.stdout.strip()}")


def _name(requirements: tuple[str, ...]) -> str:
    return "pystrix-typed" if requirements[0] == str(ROOT) else requirements[0]


def _install(inside: Path, *what: str) -> None:
    # From outside: a clean environment has no pip, because what is installed lengthens the search
    # for every module.
    words = ["install", "--python", str(inside), "--quiet", "--compile-bytecode", *what]
    environment = dict(os.environ)
    for unwanted in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(unwanted, None)
    subprocess.run([sys.executable, "-m", "uv", "pip", *words], check=True, env=environment)


def pythons() -> list[str]:
    """Give the interpreters that are here: this one, and other supported ones."""
    found = [sys.executable]
    for version in ("3.11", "3.12", "3.13"):
        if sys.version.startswith(f"{version}."):
            continue
        candidates = [shutil.which(f"python{version}")]
        folders = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
        candidates += [str(path) for path in sorted(folders.glob(f"{version}.*/bin/python"))]
        for candidate in candidates:
            if candidate and _works(candidate):
                found.append(candidate)
                break
    return found


def _works(program: str) -> bool:
    """Tell whether it runs: what pyenv puts on the path may only know that it exists."""
    tried = subprocess.run([program, "-c", "import venv"], capture_output=True, check=False)
    return tried.returncode == 0


def machine() -> dict[str, object]:
    """Describe the machine."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }

"""Every check of the project, each in an environment of its own.

``nox`` runs them all, ``nox -s types`` runs one, and ``nox -l`` lists them. Without uv it works
too, only slower.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = [
    "unchanged",
    "lint",
    "types",
    "tests",
    "uvloop",
    "fuzz",
    "docs",
    "asterisk",
    "newest",
    "peers",
    "deploy",
    "drift",
]

# pip trusts the certificates that the machine trusts; have uv do so too.
os.environ.setdefault("UV_SYSTEM_CERTS", "1")

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
OLDEST = "3.11"
NEWER = ["3.12", "3.13"]
SPHINX = ["--fail-on-warning", "--keep-going", "--nitpicky", "--fresh-env", "--quiet"]
REQUIRE = "--require"
REQUIRE_VARIABLE = "PYSTRIX_TYPED_REQUIRE_ASTERISK"
REQUIRE_DEPLOY_VARIABLE = "PYSTRIX_TYPED_REQUIRE_DEPLOY"


def present(version: str) -> bool:
    """Tell whether a Python is here, making one that pyenv keeps to itself visible."""
    name = f"python{version}"
    program = shutil.which(name)
    # What pyenv puts on the path may know that it exists and still refuse to run.
    if program:
        tried = subprocess.run([program, "-V"], capture_output=True, check=False)
        if tried.returncode == 0:
            return True
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for folder in sorted(versions.glob(f"{version}.*/bin")):
        if (folder / name).exists():
            os.environ["PATH"] = f"{os.environ['PATH']}{os.pathsep}{folder}"
            return True
    return False


PYTHONS = [OLDEST, *filter(present, NEWER)]


def group(*names: str) -> list[str]:
    """Give the requirements of dependency groups."""
    return list(nox.project.dependency_groups(PYPROJECT, *names))


def install_wheel(session: nox.Session, *groups: str) -> Path:
    """Build the wheel and install it with all extras: what is tested is what people get."""
    session.install(*group("build", *groups))
    folder = Path(session.create_tmp()) / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), silent=True)
    wheel = next(folder.glob("*.whl"))
    session.install(f"{wheel}[cli,codegen,metrics,otel,testing,uvloop]")
    # The version may be the same as that of the wheel that was here before.
    session.install("--force-reinstall", "--no-deps", str(wheel))
    return wheel


@nox.session(python=OLDEST)
def generate(session: nox.Session) -> None:
    """Write the generated files (with ``-- --check``: only compare them)."""
    session.install(*PYPROJECT["project"]["optional-dependencies"]["codegen"])
    session.run("python", "-m", "codegen", *session.posargs)


@nox.session(python=OLDEST)
def unchanged(session: nox.Session) -> None:
    """Check that the generated files are what the spec and the templates give."""
    session.install(*PYPROJECT["project"]["optional-dependencies"]["codegen"])
    session.run("python", "-m", "codegen", "--check")


@nox.session(python=OLDEST)
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(python=OLDEST)
def types(session: nox.Session) -> None:
    """Check every file with both type checkers, as strictly as they can."""
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    needs = [need for extra in extras for need in extra]
    session.install(*group("types", "tests", "docs"), *needs, "nox")
    session.run("mypy")
    session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests against the wheel, without Asterisk."""
    install_wheel(session, "tests")
    arguments = [argument for argument in session.posargs if argument != REQUIRE]
    parallel = ["--numprocesses=auto", "--dist=loadgroup"]
    others = [f"--ignore=tests/{each}" for each in ("asterisk", "deploy", "peers")]
    session.run("pytest", *parallel, *others, *arguments)


@nox.session(python=OLDEST)
def uvloop(session: nox.Session) -> None:
    """Run the tests of asyncio sessions and servers on uvloop's event loop."""
    if sys.platform == "win32":
        session.skip("uvloop is for POSIX systems")
    install_wheel(session, "tests")
    tests = ["tests/test_aio.py", "tests/test_eagi.py", "tests/servers", "tests/observing"]
    session.run("python", "-m", "pytest", "-p", "tests.on_uvloop", "--numprocesses=auto", *tests)


@nox.session(python=OLDEST)
def fuzz(session: nox.Session) -> None:
    """Fuzz the protocol for a minute, guided by coverage (``-- --seconds 3600`` for longer)."""
    if sys.platform != "linux":
        session.skip("atheris has wheels for Linux only")
    install_wheel(session, "fuzz")
    session.run("python", "tests/fuzz/fuzz_protocol.py", *session.posargs)


@nox.session(python=OLDEST)
def deep(session: nox.Session) -> None:
    """Run the property tests with 20,000 examples each, which takes a while."""
    install_wheel(session, "tests")
    session.env["HYPOTHESIS_PROFILE"] = "deep"
    session.run("pytest", "--numprocesses=auto", "tests/test_properties.py", *session.posargs)


@nox.session(python=OLDEST)
def docs(session: nox.Session) -> None:
    """Build the documentation site into build/site; whatever Sphinx warns of is an error."""
    install_wheel(session, "docs")
    session.run("sphinx-build", *SPHINX, "-b", "html", "docs", "build/site", *session.posargs)


@nox.session(python=OLDEST)
def links(session: nox.Session) -> None:
    """Ask whether what the documentation links to elsewhere is still there; needs the network."""
    install_wheel(session, "docs")
    session.run("sphinx-build", *SPHINX, "-b", "linkcheck", "docs", "build/links")


@nox.session(python=OLDEST)
def asterisk(session: nox.Session) -> None:
    """Run the tests that put calls through a real Asterisk (``-- --require``: it must be there)."""
    arguments = [argument for argument in session.posargs if argument != REQUIRE]
    required = REQUIRE in session.posargs or bool(os.environ.get("CI"))
    if required:
        session.env[REQUIRE_VARIABLE] = "1"
    elif sys.platform != "linux":
        session.skip("a real Asterisk needs Linux")
    install_wheel(session, "tests")
    session.run(
        "python", "tests/asterisk/provision.py", success_codes=[0] if required else range(256)
    )
    # Calls wait for time to pass, not for the processor. Each worker has exchanges of its own.
    session.run("pytest", "--numprocesses=4", "tests/asterisk", *arguments)


@nox.session(python=OLDEST)
def newest(session: nox.Session) -> None:
    """Run the tests with the Python of the provisioned Asterisk's system, newer than those here."""
    if sys.platform != "linux":
        session.skip("a real Asterisk needs Linux")
    arguments = [argument for argument in session.posargs if argument != REQUIRE]
    required = REQUIRE in session.posargs or bool(os.environ.get("CI"))
    wheel = install_wheel(session, "tests")
    codes = [0] if required else range(256)
    session.run("python", "tests/asterisk/provision.py", "22", success_codes=codes)
    command = ["python", "-m", "tests.asterisk.newest", str(wheel), "--numprocesses=auto"]
    # 2: it is not here, which has been said.
    session.run(*command, "--dist=loadgroup", *arguments, success_codes=[0] if required else [0, 2])


@nox.session(python=OLDEST)
def peers(session: nox.Session) -> None:
    """Call servers that are written with other libraries, which are installed for that."""
    if sys.platform == "win32":
        session.skip("the libraries are for POSIX systems")
    install_wheel(session, "tests")
    session.run("pytest", "tests/peers", *session.posargs)


@nox.session(python=OLDEST)
def deploy(session: nox.Session) -> None:
    """Put calls through a real HAProxy and a real name server (``-- --require``: as above)."""
    arguments = [argument for argument in session.posargs if argument != REQUIRE]
    required = REQUIRE in session.posargs or bool(os.environ.get("CI"))
    if required:
        session.env[REQUIRE_DEPLOY_VARIABLE] = "1"
    elif sys.platform != "linux":
        session.skip("a real Asterisk needs Linux")
    install_wheel(session, "tests")
    codes = [0] if required else range(256)
    session.run("python", "tests/deploy/provision.py", success_codes=codes)
    session.run("python", "tests/asterisk/provision.py", "22", success_codes=codes)
    session.run("pytest", "tests/deploy", *arguments)


@nox.session(python=OLDEST)
def drift(session: nox.Session) -> None:
    """Compare the spec with what the provisioned Asterisks say of themselves."""
    if sys.platform != "linux":
        session.skip("a real Asterisk needs Linux")
    install_wheel(session, "tests")
    session.run("python", "tests/asterisk/provision.py", success_codes=range(256))
    # 2: none is here, which the line above has said.
    codes = [0] if REQUIRE in session.posargs or os.environ.get("CI") else [0, 2]
    session.run("python", "-m", "tests.asterisk.drift", success_codes=codes)


@nox.session(python=OLDEST)
def faults(session: nox.Session) -> None:
    """Do to both servers what goes wrong around them, and print what it cost (``-- --help``)."""
    if sys.platform != "linux":
        session.skip("what a process has in use is read from Linux's /proc")
    install_wheel(session)
    session.run("python", "-m", "tests.faults", *session.posargs)


@nox.session(python=OLDEST)
def bench(session: nox.Session) -> None:
    """Compare start-up, servers and memory with other libraries (``-- --full`` takes longer)."""
    session.install("uv>=0.5", *PYPROJECT["project"]["optional-dependencies"]["codegen"])
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(python=OLDEST)
def release(session: nox.Session) -> None:
    """Build the archives in dist, and go through the list that a release must pass."""
    install_wheel(session, "tests")
    session.install("twine")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("python", "-m", "hatchling", "build", "-d", "dist", silent=True)
    session.run("python", "-m", "tests.release", "dist", *PYTHONS)

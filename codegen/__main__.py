"""``python -m codegen``: write the generated files, or check that they are up to date."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .load import Spec
    from .output import Comparison

__all__ = ["main"]

PROGRAM = "codegen"
#: How many of the files that are none of ours are named: a wrong folder may hold any number.
SHOWN = 20
NEEDS = {"jinja2": "jinja2", "pydantic": "pydantic", "yaml": "pyyaml"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Generate typed AGI actions from a spec.",
        epilog="Exit status: 0 all well, 1 differences found by --check, 2 nothing could be done.",
    )
    parser.add_argument(
        "--check", action="store_true", help="compare only: show what differs, write nothing"
    )
    parser.add_argument(
        "--spec", type=Path, metavar="DIR", help="the spec (default: the project's own)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PACKAGE_DIR",
        help="the package to write (default: the project's own core)",
    )
    return parser


class _Unable(Exception):
    """Nothing could be done; the message is one line that says why."""


def main(argv: Sequence[str] | None = None, *, program: str = PROGRAM) -> int:
    """Run the generator.

    Args:
        argv: The arguments; None for those of the process.
        program: What it was started as: its errors begin with it.

    Returns:
        0 when all is well, 1 when ``--check`` found differences, 2 when nothing could be done.
    """
    options = _parser().parse_args(argv)
    missing = [package for module, package in NEEDS.items() if find_spec(module) is None]
    try:
        if missing:
            raise _Unable(
                f"the extra 'codegen' is needed for {', '.join(missing)}: "
                "pip install 'pystrix-typed[codegen]'"
            )
        return _generate(options.spec, options.out, check=options.check)
    except _Unable as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2


def _generate(spec_folder: Path | None, out: Path | None, *, check: bool) -> int:
    from .check import check as check_spec
    from .load import load
    from .output import compare, write
    from .preview import preview
    from .problems import SpecError
    from .render import FormatterError, pages, render, schema
    from .runtime import CORE, REFERENCE, SPEC
    from .scope import Scope

    folder = SPEC if spec_folder is None else spec_folder
    core = _same(folder, SPEC)
    if out is None:
        out = CORE if core else None
    if out is None:
        which = "an installed package" if core else "a spec of your own"
        raise _Unable(f"--out PACKAGE_DIR is needed: {which} has no place of its own to write to")
    if out.exists() and not out.is_dir():
        raise _Unable(f"{out} is a file; --out names the folder of a package")
    if CORE is not None and not core and _same(out, CORE):
        raise _Unable(f"{out} is generated from {SPEC} only; give --out a folder of your own")
    try:
        spec = load(folder)
        scope = Scope.of(spec, None if core else load(SPEC))
        check_spec(spec, scope)
        _raise_problems(spec)
        files = render(spec, scope, core=core)
        preview(spec, scope, files)
        _raise_problems(spec)
        found = [compare(out, files)]
        if core and CORE is not None and _same(out, CORE):
            found.append(compare(SPEC, {"schema.json": schema()}, alone=False))
            if REFERENCE is not None:
                found.append(compare(REFERENCE, pages(spec, scope)))
    except SpecError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        count = len(error.problems)
        raise _Unable(
            f"{count} problem{'s' if count > 1 else ''} in {folder}; nothing was written"
        ) from None
    except FormatterError as error:
        raise _Unable(str(error)) from None
    except OSError as error:
        raise _Unable(f"{error.filename or out}: {error.strerror}") from None
    strays = [str(part.folder / name) for part in found for name in part.strays]
    if check:
        return _tell(found, strays)
    if strays:
        for name in strays[:SHOWN]:
            print(f"{name}: not generated, so not touched", file=sys.stderr)
        if len(strays) > SHOWN:
            print(f"and {len(strays) - SHOWN} more", file=sys.stderr)
        raise _Unable("a generated package holds generated files only; move these away")
    try:
        for part in found:
            write(part)
    except OSError as error:
        raise _Unable(f"{error.filename or out}: {error.strerror}") from None
    for part in found:
        for name in (*part.changed, *part.missing):
            print(f"written {part.folder / name}")
        for name in part.orphans:
            print(f"removed {part.folder / name}")
    unchanged = sum(len(part.unchanged) for part in found)
    print(f"{unchanged} file{'' if unchanged == 1 else 's'} unchanged")
    return 0


def _raise_problems(spec: Spec) -> None:
    from .problems import SpecError

    problems = [*spec.problems]
    for document in spec.documents:
        problems += document.problems
    if problems:
        raise SpecError(problems)


def _tell(found: Sequence[Comparison], strays: Sequence[str]) -> int:
    """Print what `--check` found; give the exit status."""
    if all(part.clean for part in found):
        count = sum(len(part.unchanged) for part in found)
        print(f"{count} generated files are up to date")
        return 0
    for part in found:
        print(part.diff(), end="")
    for part in found:
        for what in ("changed", "missing", "orphans"):
            names: list[str] = getattr(part, what)
            for name in names:
                print(f"{WORDS[what]}: {part.folder / name}")
    for name in strays[:SHOWN]:
        print(f"not generated: {name}")
    if len(strays) > SHOWN:
        print(f"and {len(strays) - SHOWN} more that are not generated")
    print("the generated files are not what the spec gives; run this again without --check")
    return 1


WORDS = {"changed": "differs", "missing": "missing", "orphans": "orphan"}


def _same(first: Path, second: Path) -> bool:
    return first.resolve() == second.resolve()


if __name__ == "__main__":
    sys.exit(main())

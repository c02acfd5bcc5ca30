"""Projects as `pystrix-typed new` makes them answer real calls, by the dialplan that they bring."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.cli.new import new
from tests.serving.service import service

from .calls import Far
from .isolation import INSIDE

if TYPE_CHECKING:
    from pathlib import Path

    from .calls import Ending
    from .exchange import Exchange

FAR = Far().wait(0.5).press("12#").wait(4).press("0042")


def dial(exchange: Exchange, folder: Path, address: str, ours: str) -> Ending:
    """Run the application of the project's dialplan, with its address moved to where it is here."""
    text = (folder / "extensions.conf").read_text(encoding="utf-8")
    found = re.search(r"^exten => 100,1,AGI\((.*)\)$", text, re.MULTILINE)
    assert found
    agi = found[1].replace(address, ours, 1)
    assert agi.startswith(ours)
    with exchange.call(agi, far=FAR, answer=False, watch=["NUMBER"]) as call:
        return call.wait(40)


def test_a_script(latest: Exchange) -> None:
    folder = latest.folder / "agi" / "front-desk"
    new("agi", folder, python="/usr/bin/python3")
    ending = dial(latest, folder, str(latest.folder.resolve()), INSIDE)
    assert ending.agi_status == "SUCCESS", latest.log()
    assert ending.variables["NUMBER"] == "0042"


@pytest.mark.parametrize("kind", ["fastagi", "asyncio"])
def test_a_server(exchange: Exchange, kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "front-desk"
    new(kind, folder)
    with service(folder, target="front_desk.server") as running:
        host, port = running.address
        ending = dial(exchange, folder, "agi://127.0.0.1", f"agi://{host}:{port}")
    assert ending.agi_status == "SUCCESS", exchange.log()
    assert ending.variables["NUMBER"] == "0042"


@pytest.mark.parametrize("kind", ["agi", "fastagi", "asyncio"])
def test_asterisk_takes_the_dialplan(exchange: Exchange, kind: str, tmp_path: Path) -> None:
    new(kind, tmp_path / "front-desk")
    text = (tmp_path / "front-desk" / "extensions.conf").read_text(encoding="utf-8")
    before = exchange.log_size()
    exchange.dialplan(f"[new-{kind}]\n{text}")
    log = exchange.log(before)
    assert "WARNING" not in log, log
    assert "ERROR" not in log, log
    shown = exchange.console(f"dialplan show new-{kind}")
    assert shown.count(". ") >= 3, shown
    assert "AGI(" in shown

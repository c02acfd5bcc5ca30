"""What `pystrix-typed doctor` finds of a real Asterisk: beside it, and in the tree of its own."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from pathlib import Path

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.cli import doctor_asterisk, doctor_through
from pystrix_typed.cli.finding import Finding

from . import configuration
from .exchange import Exchange
from .isolation import INSIDE

#: What the command prints with --json, without the packages that print in colours.
EXAMINE = """
import json, sys
from pathlib import Path
from pystrix_typed.cli.doctor import examine
config, script, server = sys.argv[1:]
found = examine(config=Path(config) if config else None, scripts=[Path(script)], servers=[server])
print(json.dumps([tuple(finding) for finding in found]))
"""
SCRIPT = "from pystrix_typed import agi\nwith agi.AGI() as session:\n    pass\n"


def inside(exchange: Exchange, *arguments: str) -> list[Finding]:
    """Examine the machine that the exchange takes itself to be on."""
    [child] = Path(f"/proc/{exchange.pid}/task/{exchange.pid}/children").read_text().split()
    done = subprocess.run(
        [
            *("nsenter", "--target", child, "--mount", "--pid", "--root", "--wd=/"),
            *("/usr/bin/env", "-i", "PATH=/usr/bin:/bin", f"PYTHONPATH={INSIDE}/sources"),
            *("/usr/bin/python3", "-c", EXAMINE, *arguments),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Finding(*each) for each in json.loads(done.stdout)]


def greet(session: agi.FastAGI, request: agi.Request) -> None:
    session.execute(core.Answer())


def test_all_is_well(latest: Exchange) -> None:
    script = latest.script(SCRIPT, "well")
    with agi.FastAGIServer(port=0) as server:
        server.script("greet")(greet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"agi://127.0.0.1:{server.server_address[1]}/greet"
        found = inside(latest, f"{INSIDE}/etc", script, url)
    texts = {each.about: each.text for each in found}
    wanted = {"asterisk", "configuration", "running", "module", "user", "agi-bin", "server"}
    status = {each.about: each.status for each in found if each.about in wanted}
    assert status == dict.fromkeys(wanted, "ok"), found
    assert texts["asterisk"] == f"/usr/sbin/asterisk is Asterisk {_whole(latest)}"
    assert texts["running"] == f"Asterisk {_whole(latest)} runs, process 1"
    assert texts["user"] == "Asterisk's user is root"
    assert texts["agi-bin"] == f"AGI(name) looks into {INSIDE}/agi"
    [ours, again] = [each for each in found if script in each.text]  # found there, and asked for
    assert (ours.status, again.status) == ("ok", "ok")
    assert re.search(r"Python 3\.\d+\.\d+, pystrix-typed \S+; Python starts in \d+ ms", ours.text)


def test_what_is_not_well(latest: Exchange) -> None:
    """Each of these scripts was seen to fail on a call, in test_pages_live."""
    broken = latest.script("#!/opt/none/python\n", "broken")
    found = inside(latest, "", broken, "agi://127.0.0.1:9/")
    [script] = [each for each in found if broken in each.text]
    assert (script.status, script.about) == ("problem", "script")
    [server] = [each for each in found if each.about == "server"]
    assert server.status == "problem"
    # Where Debian has its configuration, no Asterisk of it runs.
    texts = {each.about: each.text for each in found}
    assert texts["configuration"] == "/etc/asterisk/asterisk.conf"
    assert {each.about: each.status for each in found}["running"] == "warning"
    assert texts["agi-bin"] == "AGI(name) looks into /usr/share/asterisk/agi-bin"


def test_its_user_may_not_get_there(latest: Exchange) -> None:
    """An Asterisk that is to run as Debian's user could not enter the folder of this one."""
    folder = latest.folder / "etc" / "other"
    folder.mkdir(exist_ok=True)
    (folder / "asterisk.conf").write_text(
        f"[directories]\nastagidir => {INSIDE}/agi\nastrundir => /nowhere\n"
        "[options]\nrunuser = asterisk\n"
    )
    assert latest.folder.stat().st_mode & 0o077 == 0
    script = latest.script(SCRIPT, "closed")
    found = inside(latest, latest.inside(folder), script, "agi://127.0.0.1:9/")
    user, agi_bin = [each for each in found if each.about in {"user", "agi-bin"}]
    assert user.text == "Asterisk's user is asterisk"
    assert (agi_bin.status, agi_bin.text) == ("problem", f"asterisk may not enter {INSIDE}")
    scripts = [each.text for each in found if Path(script).name in each.text]
    refused = f"asterisk may not enter {INSIDE}, where {Path(script).name} is"
    assert refused in scripts


def answer_and_talk(session: agi.FastAGI, request: agi.Request) -> None:
    session.execute(core.SetVariable("SEEN", "yes"))
    session.execute(core.Answer())
    session.execute(core.StreamFile("hello-world"))


def test_asterisk_itself_calls_a_server(exchange: Exchange) -> None:
    before = exchange.console("dialplan show").count("[ Context")
    rows = exchange.console("database show").count("/")
    seen: list[str] = []
    with agi.FastAGIServer(port=0) as server:

        @server.script("talk")
        def talk(session: agi.FastAGI, request: agi.Request) -> None:
            seen.append(session.environment.channel or "")
            answer_and_talk(session, request)

        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"agi://127.0.0.1:{server.server_address[1]}/talk?x=1&y=2"
        found = doctor_through.examine(url, exchange.folder / "run")
    assert (found.status, found.text) == ("ok", f"Asterisk itself reaches {url}")
    assert len(seen) == 1
    assert seen[0].startswith("Local/s@pystrix-typed-doctor-")
    # And nothing of it is left.
    assert exchange.console("dialplan show").count("[ Context") == before
    assert exchange.console("database show").count("/") == rows
    assert exchange.channels() == []


@pytest.mark.parametrize("url", ["agi://127.0.0.1:9/talk", "hagi://no.such.invalid/talk"])
def test_asterisk_itself_does_not_reach_a_server(exchange: Exchange, url: str) -> None:
    found = doctor_through.examine(url, exchange.folder / "run")
    assert (found.status, found.text) == ("problem", f"Asterisk itself does not reach {url}")


def test_asterisk_cannot_place_a_call(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "WANTED", re.compile(r"(pbx_config|res_agi)\.so"))
    with Exchange(exchange.release) as without:
        found = doctor_through.examine("agi://127.0.0.1:9/", without.folder / "run")
        assert "dialplan show" not in found.text
        assert "pystrix-typed-doctor" not in without.console("dialplan show")
    assert (found.status, "it placed no call" in found.text) == ("warning", True)


def loaded(exchange: Exchange, folder: Path) -> Finding:
    """Give what is found of res_agi, with the console as the only source."""
    config = folder / "asterisk.conf"
    config.write_text(f"[directories]\nastrundir => {exchange.folder}/run\n")
    found = {each.about: each for each in doctor_asterisk.look(config).findings}
    assert found["running"].text.startswith(f"Asterisk {exchange.version}")
    return found["module"]


def test_agi_is_loaded(exchange: Exchange, tmp_path: Path) -> None:
    assert loaded(exchange, tmp_path).status == "ok"


def test_agi_is_not_loaded(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "WANTED", re.compile(r"pbx_config\.so"))
    with Exchange(exchange.release) as without:
        assert loaded(without, tmp_path).status == "problem"


def _whole(exchange: Exchange) -> str:
    """Give the version with what the distribution appends to it."""
    return exchange.console("core show version").split()[1]

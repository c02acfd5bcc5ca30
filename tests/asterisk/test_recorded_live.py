"""Real calls are recorded, and the recordings replay as they went."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.recording import CallRecorder
from pystrix_typed.testing import RecordedCall, ReplayError

from .calls import Far

if TYPE_CHECKING:
    from pathlib import Path

    from .exchange import Exchange


def flow(session: agi.FastAGI, request: agi.Request) -> None:
    session.execute(core.Answer())
    pin = session.execute(core.GetData("vm-password", 5000, 4)).digits
    session.execute(core.DatabasePut("recorded", "pin", pin))
    key = session.execute(core.StreamFile("vm-intro", "12")).digit
    session.execute(core.SetVariable("KEY", key or "none"))
    session.execute(core.SayDigits(pin))


FARS = {
    "keys": Far().wait(0.5).press("0042").wait(1.5).press("2").wait(3),
    "a hangup": Far().wait(0.5).press("0042").wait(1).hangup(),
}


@pytest.mark.parametrize("unredacted", [True, False])
@pytest.mark.parametrize("far", FARS.values(), ids=FARS)
def test_a_real_call_is_replayed(
    exchange: Exchange, far: Far, unredacted: bool, tmp_path: Path
) -> None:
    recorder = CallRecorder(tmp_path, unredacted=unredacted)
    with agi.FastAGIServer(port=0, observers=[recorder]) as server:
        server.script(None)(flow)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host, port = server.server_address
        with exchange.call(f"agi://{host}:{port}/", far=far) as call:
            ending = call.wait(40)
        server.shutdown(10)
        thread.join(10)
    (file,) = tmp_path.iterdir()
    recorded = RecordedCall.load(file)
    assert recorded.version.startswith(exchange.version)
    hidden = []
    if not unredacted:
        assert "0042" not in file.read_text()
        # What was keyed in, then the key: as the wire had it.
        hidden = ["0042", "50"] if far is FARS["keys"] else ["0042"]
    again = recorded.replay(flow, hidden=hidden)
    assert again.agistatus == ending.agi_status
    with pytest.raises(ReplayError):
        recorded.replay(lambda session: session.execute(core.Answer()), hidden=hidden)

"""Test a call flow without a telephone exchange.

`SimulatedAsterisk` answers an AGI session as a real Asterisk does, `Caller` is a script of what the
person at the telephone does, and the `SimulatedCall` that comes back tells what happened::

    from pystrix_typed.testing import Caller, SimulatedAsterisk

    asterisk = SimulatedAsterisk(sounds={"welcome": 2.5, "menu": 4.0})
    call = asterisk.call(handler, caller=Caller().hears("menu").presses("1"))
    assert call.played == ["welcome", "menu"]
    assert call.hung_up_by == "script"

Time is virtual: five minutes of a call take milliseconds, and every run is the same.
"""

from __future__ import annotations

from pystrix_typed.testing.asterisk import SimulatedAsterisk
from pystrix_typed.testing.call import SimulatedCall
from pystrix_typed.testing.caller import Caller
from pystrix_typed.testing.channel import (
    Executed,
    Heard,
    Identity,
    Location,
    Recording,
    SimulatedChannel,
)
from pystrix_typed.testing.errors import CallerError, DialogueError
from pystrix_typed.testing.faults import (
    Answered,
    Cut,
    Delayed,
    Fault,
    Forbidden,
    HungUp,
    Steered,
)
from pystrix_typed.testing.happening import Activity, Happening, Wait
from pystrix_typed.testing.options import CallOptions
from pystrix_typed.testing.recorded import RecordedCall, RecordedLine, RecordingError
from pystrix_typed.testing.replaying import ReplayError
from pystrix_typed.testing.speech import Recognised, SpeechEngine
from pystrix_typed.testing.transcript import Entry, Transcript

__all__ = [
    "Activity",
    "Answered",
    "CallOptions",
    "Caller",
    "CallerError",
    "Cut",
    "Delayed",
    "DialogueError",
    "Entry",
    "Executed",
    "Fault",
    "Forbidden",
    "Happening",
    "Heard",
    "HungUp",
    "Identity",
    "Location",
    "Recognised",
    "RecordedCall",
    "RecordedLine",
    "Recording",
    "RecordingError",
    "ReplayError",
    "SimulatedAsterisk",
    "SimulatedCall",
    "SimulatedChannel",
    "SpeechEngine",
    "Steered",
    "Transcript",
    "Wait",
]

"""Every command's rule: the tables of all topics together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.commands_channel import CHANNEL
from pystrix_typed.testing.commands_dialplan import DIALPLAN
from pystrix_typed.testing.commands_media import MEDIA
from pystrix_typed.testing.commands_record import RECORDING
from pystrix_typed.testing.commands_say import SAY
from pystrix_typed.testing.commands_speech import SPEECH
from pystrix_typed.testing.commands_text import TEXT
from pystrix_typed.testing.commands_variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pystrix_typed.testing.answers import Rule

__all__ = ["RULES"]

RULES: Mapping[str, Rule] = {
    name: rule
    for table in (CHANNEL, DIALPLAN, MEDIA, RECORDING, SAY, SPEECH, TEXT, VARIABLES)
    for name, rule in table
}

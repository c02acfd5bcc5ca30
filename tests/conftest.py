"""What holds for all tests: how they are interrupted, and how long they look for trouble.

``HYPOTHESIS_PROFILE=deep`` has the property tests look all night.
"""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
# No deadlines: a busy machine is no bug.
settings.register_profile("default", deadline=None, max_examples=60, suppress_health_check=_SLOW)
settings.register_profile("deep", deadline=None, max_examples=20_000, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A shell has what it starts in the background ignore this, and that is inherited.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder for Unix sockets, whose paths have at most 107 bytes wherever the checkout is."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)

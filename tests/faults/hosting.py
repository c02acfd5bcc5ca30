"""What a server under test tells of itself, and its options."""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import resource
import signal
import sys
from typing import Any

__all__ = ["host", "options"]


def options() -> dict[str, Any]:
    """Give the options that whoever started this process has chosen."""
    chosen: dict[str, Any] = json.loads(os.environ.get("FAULTS_OPTIONS", "{}"))
    return chosen


def host(address: tuple[str, int]) -> None:
    """Prepare this process: tell the address, and answer SIGUSR1 with what is in use."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    limit = int(os.environ.get("FAULTS_DESCRIPTORS", "0"))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit or most, most))
    signal.signal(signal.SIGUSR1, _tell)
    _say({"port": address[1]})


def _tell(*_: object) -> None:
    gc.collect()
    if sys.platform == "linux":
        # What was freed goes back to the system, so that what is left is in use.
        ctypes.CDLL(None).malloc_trim(0)
    _say({"objects": len(gc.get_objects())})


def _say(what: object) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")

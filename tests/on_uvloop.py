"""``pytest -p tests.on_uvloop``: every loop of the tests is uvloop's."""

from __future__ import annotations

import asyncio
import warnings

import uvloop

with warnings.catch_warnings():
    # From Python 3.14 on; what takes its place is given where a loop is made, which is everywhere.
    warnings.simplefilter("ignore", DeprecationWarning)
    policy = uvloop.EventLoopPolicy()
    asyncio.set_event_loop_policy(policy)  # pyright: ignore[reportDeprecated]  # see above

"""Serving with several processes: what ``pystrix-typed serve`` runs.

`master` owns the port and starts the workers; a `worker` imports the program and serves calls.
They talk over a `channel`. The master imports nothing of the program, so that a restarted worker
takes new code.
"""

from __future__ import annotations

__all__: list[str] = []

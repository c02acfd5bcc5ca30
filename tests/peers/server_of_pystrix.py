"""A FastAGI server written with pystrix; what its handler got is told on stderr, a line each."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    library: Any = import_module("pystrix.agi")
    core: Any = import_module("pystrix.agi.core")
    actions: dict[str, Callable[[], object]] = {
        "answer": core.Answer,
        "prompt": lambda: core.StreamFile("prompt", "#"),
        "pin": lambda: core.GetData("enter-pin", 5000, 4),
        "picture": lambda: core.SendImage("logo"),
        "text": lambda: core.ReceiveText(1000),
        "delete": lambda: core.DatabaseDeltree("accounts"),
        "record": lambda: core.RecordFile("message", "wav", "#", 1000),
        "hangup": core.Hangup,
        "after": lambda: core.StreamFile("prompt"),
    }

    def handler(session: Any, _args: Any, _kwargs: Any, _match: Any, _path: Any) -> None:
        for name, make in actions.items():
            try:
                got = repr(session.execute(make()))
            except Exception as error:  # noqa: BLE001 - whatever the library raises is told
                got = type(error).__name__
            print(f"{name}: {got}", file=sys.stderr, flush=True)

    server = library.FastAGIServer(port=0, daemon_threads=True)
    server.register_script_handler(None, handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

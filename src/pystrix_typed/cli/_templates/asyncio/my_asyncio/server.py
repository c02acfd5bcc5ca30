"""The server: which path of the address leads to which call flow."""

import asyncio

from pystrix_typed import agi

from my_asyncio.flow import take_call

server = agi.aio.FastAGIServer(interface="127.0.0.1", port=4573)
server.script("number")(take_call)

if __name__ == "__main__":
    asyncio.run(server.serve_forever(signals=True))

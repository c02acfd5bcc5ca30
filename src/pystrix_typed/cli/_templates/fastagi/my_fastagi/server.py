"""The server: which path of the address leads to which call flow."""

from pystrix_typed import agi

from my_fastagi.flow import take_call

server = agi.FastAGIServer(interface="127.0.0.1", port=4573)
server.script("number")(take_call)

if __name__ == "__main__":
    server.serve_forever(signals=True)

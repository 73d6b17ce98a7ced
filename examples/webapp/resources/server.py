"""Serves a folder on loopback and writes the port it got to <folder>/.state."""
import functools
import http.server
import os
import sys

folder, port = sys.argv[1], int(sys.argv[2])
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
    state = os.path.join(folder, ".state")
    with open(state + ".new", "w") as f:
        f.write(str(server.server_address[1]))
    os.rename(state + ".new", state)
    server.serve_forever()

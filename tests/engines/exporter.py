"""An exporter as a process of its own: `exporter.py FILE` serves FILE as it is at each request, on loopback.

Prints its address on the first line. A second word is the port, so that it can come back where it was.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = Path(sys.argv[1]).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_told):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Page)
print(f"http://127.0.0.1:{server.server_address[1]}/metrics", flush=True)
server.serve_forever()

"""The real supervisor over three tiny children, for tests without a database: `small_tree.py HOME PORT`."""

from __future__ import annotations

import sys
from pathlib import Path

from bitgoeul.site.supervisor import Child, Refused, Supervisor

WEB = """
import http.server, socket, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Answer, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.serve_forever()
"""
LOOP = """
import sys, time
from pathlib import Path
from bitgoeul.site.supervisor import beat
while True:
    beat(Path(sys.argv[1]), sys.argv[2]); time.sleep(0.05)
"""
# A child of a child that leaves its session: only an adopting supervisor can find it again.
ESCAPING = (
    """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "escaped"], start_new_session=True)
"""
    + LOOP
)


class SmallTree(Supervisor):
    """Three children that do nothing but live."""

    def _children(self) -> dict[str, Child]:
        fd = self.web.fileno()
        python = [sys.executable, "-c"]
        return {
            "web": Child("web", [*python, WEB, str(fd)], pass_fds=(fd,)),
            "worker": Child("worker", [*python, LOOP, str(self.home), "worker"]),
            "follower": Child("follower", [*python, ESCAPING, str(self.home), "follower"]),
        }


def main() -> int:
    """Run the tree; after a restart in place it is called again with the kept lock and socket."""
    home, port, *kept = sys.argv[1:]
    again = [sys.executable, __file__, home]
    tree = SmallTree(Path(home), "127.0.0.1", 0, command=again, check_command=[sys.executable, "-c", "pass"])
    if port == "--port":  # --port P --lock-fd L --listen-fd S
        tree.port, tree.lock, tree.listening = int(kept[0]), int(kept[2]), int(kept[4])
    else:
        tree.port = int(port)
        if kept and kept[0] == "attempt":
            tree.journey, tree.stay = [sys.executable, "-c", kept[1]], False
        if kept == ["broken"]:
            tree.check_command = [sys.executable, "-c", "raise SystemExit('SyntaxError: planted')"]
    return tree.run()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(2)

"""How the web process serves: few processes with threads, short graceful stop, logs on standard error."""

from __future__ import annotations

import os
import signal
from typing import Any

from bitgoeul.site.supervisor import PR_SET_PDEATHSIG, libc_prctl

worker_class = "gthread"
workers = min(2, os.cpu_count() or 1)
threads = 8
# The code is read once and shared; reading it in every worker is most of what a start costs.
preload_app = True
timeout = 60
graceful_timeout = 5
keepalive = 5
errorlog = "-"
loglevel = "warning"
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - heartbeats never wait for a disk
# The portal takes files up to its own limit and streams them; headers and lines stay small.
limit_request_line = 4094

_prctl = libc_prctl()


def post_fork(server: Any, worker: Any) -> None:
    """A worker dies with its arbiter, also when that is killed with -9."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != server.pid:
        os._exit(1)
    from django.db import connections

    # A SQLite connection that crosses a fork corrupts the database; nothing should have opened one yet.
    connections.close_all()

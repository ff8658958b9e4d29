"""The engine of each cluster, built once a process."""

from __future__ import annotations

import json

from django.conf import settings

from .models import Cluster
from .plugins import make_engine
from .ports import Engine

_engines: dict[tuple[str, str, str, str], Engine] = {}


def engine_of(cluster: Cluster) -> Engine:
    """The cluster's engine over its own directory; kept, for it looks after the processes it started.

    Raises BadInput when its plug-in or its settings cannot be used.
    """
    home = settings.ENGINE_HOME / cluster.code
    key = (cluster.code, cluster.engine, json.dumps(cluster.config, sort_keys=True), str(home))
    if key not in _engines:
        _engines[key] = make_engine(cluster.engine, home, cluster.config)
    return _engines[key]

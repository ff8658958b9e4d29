"""The engine of each cluster, built once a process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from .models import Cluster
from .plugins import make_engine
from .ports import Capacity, Engine

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


def ask_cluster(code: str, engine: str, config: Mapping[str, Any]) -> Capacity:
    """What a cluster with these settings has, asked now, before anything is kept of it.

    Raises BadInput when its plug-in or its settings cannot be used and EngineUnavailable when it does not answer.
    """
    return make_engine(engine, settings.ENGINE_HOME / code, config).capacity()

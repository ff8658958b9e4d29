"""The contract of an engine on a real Slurm."""

from __future__ import annotations

from typing import Any

import pytest

from bitgoeul.compute.conformance import EngineConformance
from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import Engine

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


class TestSlurmEngine(EngineConformance):
    wait_seconds = 90.0
    config: dict[str, Any]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _config(cls, cluster_config: dict[str, Any]) -> None:
        # Only jobs of the partition count here: the kit looks at one node.
        cls.config = {**cluster_config, "partitions": {"core": "single"}, "devices": {}}

    def make_engine(self) -> Engine:
        return make_engine("slurm", self.home / "engine", self.config)


class TestSlurmEngineByRest(TestSlurmEngine):
    """The same with jobs handed over by slurmrestd."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _rest(cls, _config: None, testbed: Any) -> None:
        cls.config = {**cls.config, "rest": {"url": testbed.rest_url, "version": "v0.0.38", "user": "root"}}

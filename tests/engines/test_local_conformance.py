"""The contract of an engine, under each tier of isolation that this machine has."""

import pytest

from bitgoeul.compute.conformance import EngineConformance
from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import Engine, Tier
from engines.tiers import needs


class TestLocalEngine(EngineConformance):
    tier = Tier.LIMITS

    def setup_method(self) -> None:
        needs(self.tier)
        super().setup_method()

    def make_engine(self) -> Engine:
        config = {"cores": 2, "memory_mib": 2048, "isolation": str(self.tier)}
        return make_engine("local", self.home / "engine", config)


@pytest.mark.slow
class TestLocalEngineUnderLandlock(TestLocalEngine):
    tier = Tier.LANDLOCK


class TestLocalEngineInContainers(TestLocalEngine):
    tier = Tier.CONTAINER


class TestLocalEngineWithOneCore(EngineConformance):
    """A machine with a single core: jobs wait for each other, and every promise still holds."""

    def make_engine(self) -> Engine:
        return make_engine("local", self.home / "engine", {"cores": 1, "memory_mib": 1024})

    def test_a_forgotten_job_is_unknown_and_never_starts_again(self) -> None:
        self.engine = make_engine("local", self.home / "engine", {"cores": 2})
        super().test_a_forgotten_job_is_unknown_and_never_starts_again()

from bitgoeul.compute.conformance import EngineConformance
from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import Engine


class TestLocalEngine(EngineConformance):
    def make_engine(self) -> Engine:
        return make_engine("local", self.home / "engine", {"cores": 2, "memory_mib": 2048})


class TestLocalEngineWithOneCore(EngineConformance):
    """A machine with a single core: jobs wait for each other, and every promise still holds."""

    def make_engine(self) -> Engine:
        return make_engine("local", self.home / "engine", {"cores": 1, "memory_mib": 1024})

    def test_a_forgotten_job_is_unknown_and_never_starts_again(self) -> None:
        self.engine = make_engine("local", self.home / "engine", {"cores": 2})
        super().test_a_forgotten_job_is_unknown_and_never_starts_again()

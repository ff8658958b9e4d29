"""Made-up published results, and how they are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from bitgoeul.accounts.facade import Actor
from bitgoeul.kernel.ids import new_id
from bitgoeul.published.mlperf import Result

SYSTEM = Actor.system("test")
ONE = Result(
    round="v3.0", division="closed", submitter="Gaon", system="chip", accelerators=1, benchmark="resnet50",
    scenario="Offline", log_scenario="Offline", inferred=False, result="VALID", metric="samples_per_second",
    value=1000.5, unit="samples/s", inferred_value=None, errors=0, accuracy="top1 76.1%", flags=(),
    accelerator="Gaon NPU", system_type="edge", status="available", logged_value=1000.5, derived_value=1000.5,
    log_digest="ab" * 32, path="/tree/run_1",
)  # fmt: skip


def made(**changes: Any) -> Result:
    """The result with some fields changed."""
    return replace(ONE, **changes)


def keep(*results: Result, source: str = "example.org/results, revision 1", **more: Any) -> Any:
    """Keep results as the command does."""
    from bitgoeul.trials import facade as trials

    retrieved = trials.Retrieved(source, more.pop("on", date(2026, 9, 1)), more.pop("reviewed", True))
    return trials.keep_published(actor=SYSTEM, id=new_id(), results=results, retrieved=retrieved, **more)

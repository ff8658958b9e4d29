"""What a job's start and end cost under each tier of isolation, against the weakest, in one run.

``python bench/isolation_start.py [--limit 2.5] [--turns 15]`` prints one JSON line and exits 1 when a tier takes
more than ``limit`` times the weakest. The tiers take turns, so that a neighbour's work hits all of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import JobSpec, Limits, Phase, Tier
from bitgoeul.engines.local.engine import LocalEngine
from bitgoeul.kernel.ids import new_id

LIMIT = 2.5
TURNS = 15
LIMITS = Limits(cores=1, memory_mib=128, wall_seconds=20, processes=8, file_mib=1)


def one_ms(engine: LocalEngine) -> float:
    """From submit until the engine says that ``true`` has ended."""
    started = time.perf_counter()
    handle = engine.submit(JobSpec(new_id(), "true", ("true",), {}, {}, (), LIMITS, {}))
    while engine.poll([handle])[0].phase != Phase.ENDED:
        time.sleep(0.002)
    return (time.perf_counter() - started) * 1000


def measure(turns: int) -> dict[str, Any]:
    """Medians of the quieter half of the turns, in milliseconds, for the tiers that work here."""
    with tempfile.TemporaryDirectory(prefix="isolation-") as home:
        engines = {}
        for tier in Tier:
            engine = make_engine("local", Path(home) / tier, {"cores": 2, "isolation": str(tier)})
            assert isinstance(engine, LocalEngine)
            if engine.isolation().tier is tier:
                engines[tier] = engine
                one_ms(engine)
        times: dict[Tier, list[float]] = {tier: [] for tier in engines}
        for _ in range(turns):
            for tier, engine in engines.items():
                times[tier].append(one_ms(engine))
    return {tier: round(median(sorted(each)[: turns // 2 + 1]), 1) for tier, each in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=LIMIT)
    parser.add_argument("--turns", type=int, default=TURNS)
    given = parser.parse_args()
    found = measure(given.turns)
    ratios = {tier: round(each / found[Tier.LIMITS], 2) for tier, each in found.items()}
    ok = max(ratios.values()) <= given.limit
    line = {"median_ms": found, "ratio_to_limits": ratios, "limit": given.limit, "ok": ok}
    sys.stdout.write(json.dumps(line) + "\n")
    return 0 if ok else 1


if __name__ == "__main__":
    raise SystemExit(main())

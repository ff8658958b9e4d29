"""What the worst page of an exporter costs whom it is read for, against the parser alone, in one run.

``python bench/telemetry_page.py`` prints one JSON line: processor milliseconds of the best of five, and the ratio.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from bitgoeul.telemetry.http import BYTES_MAX
from bitgoeul.telemetry.prometheus import KNOWN_MAX, SERIES_MAX, samples

ROUNDS = 5
LABELS = 15


def worst_page() -> tuple[str, str]:
    """As many known series with many labels as are taken, and the whole page of the largest size."""
    pad = ",".join(f'l{number}=""' for number in range(LABELS))
    lines = [f'all_smi_gpu_utilization{{gpu_index="{n % 8}",x="{n}",{pad}}} 1\n' for n in range(SERIES_MAX)]
    known = "".join(lines[: KNOWN_MAX // (len(lines[-1]) + 4)])
    return known, known + "a_metric_of_no_interest 1\n" * ((BYTES_MAX - len(known)) // 26)


def best_ms(act: Callable[[], object]) -> float:
    """Processor time of this thread."""
    took = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        act()
        took.append(time.thread_time() - began)
    return min(took) * 1000


def main() -> None:
    """Measure both."""
    known, page = worst_page()
    bare = best_ms(lambda: list(text_string_to_metric_families(known)))
    whole = best_ms(lambda: samples(page.encode()))
    print(json.dumps({"page_ms": round(whole), "parser_ms": round(bare), "ratio": round(whole / bare, 2)}))


if __name__ == "__main__":
    main()

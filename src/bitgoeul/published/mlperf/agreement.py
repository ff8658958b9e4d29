"""Whether a summary says what its detail log says, and whether that log's numbers fit each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from .logs import Detail, Summary

PERCENTILES = ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")
EXTREMES = ("Min", "Max", "Mean")
AS_ASKED = (
    "accuracy_log_rng_seed", "accuracy_log_probability", "accuracy_log_sampling_target", "print_timestamps",
    "performance_issue_unique", "performance_issue_same",
)  # fmt: skip
# What the summary calls it, and the detail log.
NUMBERS = {
    "Samples per second": "result_samples_per_second",
    "Scheduled samples per second": "result_scheduled_samples_per_sec",
    "Completed samples per second": "result_completed_samples_per_sec",
    "Tokens per second": "result_tokens_per_second",
    "Completed tokens per second": "result_completed_tokens_per_second",
    "QPS w/ loadgen overhead": "result_qps_with_loadgen_overhead",
    "QPS w/o loadgen overhead": "result_qps_without_loadgen_overhead",
    "Min latency (ns)": "result_min_latency_ns",
    "Max latency (ns)": "result_max_latency_ns",
    "Mean latency (ns)": "result_mean_latency_ns",
    "Early stopping 90th percentile estimate": "early_stopping_latency_ss",
    "Early stopping 99th percentile estimate": "early_stopping_latency_ms",
    "samples_per_query": "effective_samples_per_query",
    "target_qps": "effective_target_qps",
    "target_latency (ns)": "effective_target_latency_ns",
    "max_async_queries": "effective_max_async_queries",
    "min_duration (ms)": "effective_min_duration_ms",
    "max_duration (ms)": "effective_max_duration_ms",
    "min_query_count": "effective_min_query_count",
    "max_query_count": "effective_max_query_count",
    "qsl_rng_seed": "effective_qsl_rng_seed",
    "sample_index_rng_seed": "effective_sample_index_rng_seed",
    "schedule_rng_seed": "effective_schedule_rng_seed",
    "performance_issue_same_index": "effective_performance_issue_same_index",
    "performance_sample_count": "effective_performance_sample_count",
    **{f"{each} percentile latency (ns)": f"result_{each}_percentile_latency_ns" for each in PERCENTILES},
    "Tokens per second (inferred)": "result_inferred_tokens_per_second",
    "Completed tokens per second (inferred)": "result_inferred_completed_tokens_per_second",
    **{f"{each} First Token latency (ns)": f"result_first_token_{each.lower()}_latency_ns" for each in EXTREMES},
    **{
        f"{each} percentile first token latency (ns)": f"result_first_token_{each}_percentile_latency_ns"
        for each in PERCENTILES
    },
    **{f"{each} Time to Output Token (ns)": f"result_time_to_output_token_{each.lower()}" for each in EXTREMES},
    **{
        f"{each} percentile time to output token (ns)": f"result_time_per_output_token_{each}_percentile_ns"
        for each in PERCENTILES
    },
    "ttft_latency (ns)": "requested_server_ttft_latency",
    "tpot_latency (ns)": "requested_server_tpot_latency",
    **{each: f"effective_{each}" for each in AS_ASKED},
    "90th percentile latency (ns)": "result_90.00_percentile_latency_ns",
    "99th percentile latency (ns)": "result_99.00_percentile_latency_ns",
}  # fmt: skip
WORDS = {
    "Scenario": "effective_scenario",
    "Mode": "effective_test_mode",
    "Result is": "result_validity",
    "SUT name": "sut_name",
}
YES = {
    "Min duration satisfied": "result_min_duration_met",
    "Min queries satisfied": "result_min_queries_met",
    "Performance constraints satisfied": "result_perf_constraints_met",
    "Early stopping satisfied": "early_stopping_met",
}
# Six digits of a rate are logged; a whole number is logged and printed whole.
LOGGED = 1e-5
# What a summary of MultiStream says of latency is of queries, each of eight samples.
OF_QUERIES = {
    "Min latency (ns)": "result_min_query_latency_ns",
    "Max latency (ns)": "result_max_query_latency_ns",
    "Mean latency (ns)": "result_mean_query_latency_ns",
    **{
        f"{each} percentile latency (ns)": f"result_{each}_percentile_per_query_latency_ns" for each in PERCENTILES
    },
    "99th percentile latency (ns)": "result_99.00_percentile_per_query_latency_ns",
}
# A rate counts until the last sample came back, its summary until the clock was read.
DERIVED = 2e-3
# The schedule is made before the run and both its numbers are logged: only the six digits of the rate differ.
SCHEDULED = 1e-4


def differences(summary: Summary, detail: Detail) -> Iterator[str]:
    """The labels of the summary that say something else than the detail log."""
    said, logged = summary.fields, detail.values
    for label, key in _numbers(detail).items():
        if label in said and key in logged and not _same(said[label], logged[key]):
            yield label
    for label, key in WORDS.items():
        if label in said and key in logged and said[label] != str(logged[key]):
            yield label
    for label, key in YES.items():
        if label in said and key in logged and (said[label].lower() == "yes") != bool(logged[key]):
            yield label
    yield from summary.twice & {*NUMBERS, *WORDS, *YES}
    if summary.errors != detail.errors:
        yield "errors"


def not_logged(headlines: Iterable[str], detail: Detail) -> Iterator[str]:
    """What a result rests on and its detail log does not have: headline, scenario, mode and validity."""
    numbers = _numbers(detail)
    words = ("effective_scenario", "effective_test_mode", "result_validity")
    yield from (key for key in (*(numbers[label] for label in headlines), *words) if key not in detail.values)


def logged(headlines: Iterable[str], detail: Detail | None) -> float | None:
    """The headline as the detail log has it."""
    if detail is None:
        return None
    numbers = _numbers(detail)
    found = [value for label in headlines if (value := detail.number(numbers[label])) is not None]
    return found[0] if found else None


def derived(detail: Detail | None) -> float | None:
    """A headline that follows from other numbers of the log, in samples a second; a percentile follows from none.

    Offline: samples over the longest latency, of two ways to count them the one that fits. Server: samples of the
    schedule over its length.
    """
    if detail is None:
        return None
    rate, longest = detail.number("result_samples_per_second"), detail.number("result_max_latency_ns")
    if rate is not None and longest:
        ways = (each * 1e9 / longest for each in _issued(detail))
        return min(ways, key=lambda one: abs(one - rate), default=None)
    return None if detail.number("result_scheduled_samples_per_sec") is None else _scheduled(detail)


def _numbers(detail: Detail) -> Mapping[str, str]:
    of_queries = detail.values.get("effective_scenario") == "MultiStream"
    return NUMBERS | OF_QUERIES if of_queries else NUMBERS


def _same(printed: str, logged: object) -> bool:
    """Whole numbers as they are, for a seed has more digits than a float; a rate to its last printed digit.

    A switch is printed as 0 or 1.
    """
    if isinstance(logged, bool):
        return printed == str(int(logged))
    if not isinstance(logged, int | float):
        return False
    try:
        if isinstance(logged, int) and printed.isdecimal():
            return int(printed) == logged
        last_digit = 10.0 ** -len(printed.partition(".")[2])
        return math.isclose(float(printed), logged, rel_tol=LOGGED, abs_tol=last_digit)
    except ValueError:
        return False


def inconsistencies(detail: Detail) -> Iterator[str]:
    """What of a detail log cannot be true together with the rest of it."""
    low, high = detail.number("result_min_latency_ns"), detail.number("result_max_latency_ns")
    ladder = [low, *(detail.number(f"result_{each}_percentile_latency_ns") for each in PERCENTILES), high]
    known = [each for each in ladder if each is not None]
    if any(early > late for early, late in pairwise(known)):
        yield "percentiles"
    mean = detail.number("result_mean_latency_ns")
    if mean is not None and known and not known[0] <= mean <= known[-1]:
        yield "mean"
    rate, overhead_free = (
        detail.number("result_samples_per_second"),
        detail.number("result_qps_without_loadgen_overhead"),
    )
    derived = [count * 1e9 / high for count in _issued(detail)] if high else []
    if rate is not None and not any(math.isclose(rate, each, rel_tol=DERIVED) for each in derived):
        yield "samples per second"
    if _schedule_differs(detail):
        yield "scheduled samples per second"
    if overhead_free is not None and mean and not math.isclose(overhead_free, 1e9 / mean, rel_tol=DERIVED):
        yield "queries per second"
    if detail.values.get("result_validity") == "VALID" and not all(
        detail.values.get(key, True) for key in YES.values()
    ):
        yield "validity"


def _schedule_differs(detail: Detail) -> bool:
    """Of Server: whether its rate is another than the samples of its schedule over how long that is."""
    rate, from_schedule = detail.number("result_scheduled_samples_per_sec"), _scheduled(detail)
    if rate is None:
        return False
    return from_schedule is None or not math.isclose(rate, from_schedule, rel_tol=SCHEDULED)


def _scheduled(detail: Detail) -> float | None:
    names = ("generated_query_count", "generated_samples_per_query", "generated_query_duration")
    queries, each, duration = map(detail.number, names)
    return queries * each * 1e9 / duration if queries and each and duration else None


def _issued(detail: Detail) -> list[float]:
    """How many samples may have been issued: as asked, or rounded up to whole passes of the data set.

    The second is how runs of language models count, each sample as often as every other.
    """
    queries, each = detail.number("generated_query_count"), detail.number("generated_samples_per_query")
    if queries is None or each is None:
        return []
    whole = max(1.0, detail.number("effective_performance_sample_count") or 1)
    return [queries * each, math.ceil(queries * each / whole) * whole]

"""What the trial page shows of a record: tables and one chart, as plain data. Reads records it cannot trust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from bitgoeul.compute.ports import TIER_TEXTS, Tier
from bitgoeul.kernel.text import N_, Text

from .types import Reason

CHART_SCENARIOS = ("SingleStream", "Server")
SCENARIO_TITLES = {
    "SingleStream": N_("One query at a time"),
    "Offline": N_("All queries at once"),
    "Server": N_("Queries at random times"),
}
CHECK_TITLES: Mapping[str, str] = {
    "protocol": N_("Record and protocol"),
    "engine": N_("Engine version"),
    "inputs": N_("Input files"),
    "canary": N_("Reference repeated first"),
    "accuracy": N_("Accuracy against FP32, paired"),
    "complete": N_("All samples answered"),
    "suite": N_("Cases of the suite"),
    "sums": N_("Results add up"),
    "light_models": N_("Light models"),
    "required_operators": N_("Required operators run"),
    "required_complete": N_("Required operators complete"),
    "wrong": N_("Wrong answers"),
    "crashed": N_("Crashes"),
    "timed_out": N_("Time-outs"),
    "own_models": N_("Models brought along"),
    "quiet": N_("Quiet machine"),
    "attempts": N_("Attempts"),
    "record": N_("Record"),
    "valid": N_("valid measurement"),
    "consistent": N_("numbers agree"),
    "measured": N_("measured"),
}


DESCRIBED_TITLES: Mapping[str, str] = {
    "chip": N_("Chip"),
    "driver": N_("Driver"),
    "sdk": N_("SDK"),
    "firmware": N_("Firmware"),
    "clocks": N_("Clocks"),
}


@dataclass(frozen=True)
class Gate:
    """One line of the gate table."""

    title: str
    reason: Reason


@dataclass(frozen=True)
class ScenarioRow:
    """One line of the scenario table; times and rates are texts with their units, a dash where there is none."""

    name: str
    title: str
    validity: str
    runs: int
    queries: int
    p50: str
    p90: str
    p99: str
    rate: str


def gates(reasons: Sequence[Reason]) -> list[Gate]:
    """The checks of a verdict with their titles, in the order they were made."""
    return [Gate(check_title(reason.check), reason) for reason in reasons if reason.passed is not None]


def check_title(check: str) -> str:
    """What a check is called in the reader's language; an unknown one keeps its code."""
    scenario, _, part = check.partition(".")
    if scenario in SCENARIO_TITLES and part in CHECK_TITLES:
        return f"{scenario}: {gettext(CHECK_TITLES[part])}"
    if scenario in ("subject", "harness", "measurement"):
        titles = {
            "subject": gettext("The subject's behaviour"),
            "harness": gettext("The measuring program"),
            "measurement": gettext("The measuring job"),
        }
        return titles[scenario]
    return gettext(CHECK_TITLES[check]) if check in CHECK_TITLES else check


def parameters(values: Mapping[str, int], definition: Mapping[str, Any]) -> list[tuple[str, int]]:
    """A trial's parameters under the titles of its own protocol; without a title a parameter keeps its code."""
    rules = definition.get("parameters", {}).get("properties", {})
    titles = {name: rules.get(name, {}).get("title") or name for name in values}
    return [
        (gettext(titles[name]), values[name])
        for name in [*rules, *(values.keys() - rules.keys())]
        if name in values
    ]


def scenarios(record: Mapping[str, Any]) -> list[ScenarioRow]:
    """The last run of every scenario."""
    rows = []
    for scenario in record.get("scenarios", []):
        if not scenario["runs"]:
            continue
        told = scenario["runs"][-1]["loadgen"]
        offline = scenario["name"] == "Offline"
        rows.append(
            ScenarioRow(
                name=scenario["name"],
                title=gettext(SCENARIO_TITLES.get(scenario["name"], scenario["name"])),
                validity=told["validity"],
                runs=len(scenario["runs"]),
                queries=told["queries"] * told["samples_per_query"],
                p50="–" if offline else duration(told["latency_p50_ns"]),
                p90="–" if offline else duration(told["latency_p90_ns"]),
                p99="–" if offline else duration(told["latency_p99_ns"]),
                rate=_rate(told),
            )
        )
    return rows


def _rate(told: Mapping[str, Any]) -> str:
    milli = told.get("samples_per_second_milli") or told.get("rate_without_overhead_milli")
    return "–" if not milli else f"{milli // 1000:,} /s"


def duration(nanoseconds: int | None) -> str:
    """A time in the unit that suits it: ``10.9 µs``, ``2.31 ms``, ``5.63 s``."""
    if nanoseconds is None:
        return "–"
    for size, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "µs")):
        if nanoseconds >= size:
            value = nanoseconds / size
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{nanoseconds} ns"


def latency_chart(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The distribution of answer times by the harness's own stamps, in percent of answers; None without any."""
    found = {s["name"]: s["runs"][-1]["own"] for s in record.get("scenarios", []) if s["runs"]}
    shown = [(name, found[name]["histogram"]) for name in CHART_SCENARIOS if name in found]
    edges = record.get("edges_ns", [])
    used = [i for _name, counts in shown for i, count in enumerate(counts) if count]
    if not used or len(edges) + 1 != len(shown[0][1]):
        return None
    first, last = min(used), max(used)
    return {
        "kind": "histogram",
        "labels": [_bin(edges, i) for i in range(first, last + 1)],
        "series": [
            {"name": name, "values": _percent(counts[first : last + 1], sum(counts))} for name, counts in shown
        ],
        "unit": "%",
        "x_label": gettext("Time of one answer"),
        "y_label": gettext("Share of answers"),
    }


def _bin(edges: Sequence[int], number: int) -> str:
    if number == 0:
        return f"< {duration(edges[0])}"
    return f"≥ {duration(edges[number - 1])}"


def _percent(counts: Sequence[int], total: int) -> list[float]:
    return [round(100 * count / total, 2) if total else 0.0 for count in counts]


def chart_reading(record: Mapping[str, Any]) -> str:
    """The chart in one sentence."""
    rows = {row.name: row for row in scenarios(record)}
    one = rows.get("SingleStream")
    if one is None:
        return ""
    return gettext(
        "Half of the answers took at most {p50}, 99 of 100 at most {p99} (one query at a time)."
    ).format(p50=one.p50, p99=one.p99)


def environment(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where it was measured, as label and text."""
    told, floor = record["environment"], record.get("floor")
    packages = ", ".join(f"{package['name']} {package['version']}" for package in told["packages"])
    described = told.get("target", {})
    load = f"{told['before']['load_1min_milli'] / 1000:.2f}"
    lines = [
        *((gettext(DESCRIBED_TITLES[name]), described[name]) for name in DESCRIBED_TITLES if name in described),
        (gettext("Processor"), f"{told['processor']} ({told['cores']})"),
        (gettext("System"), f"{told['system']}, Python {told['python']}"),
        (gettext("Packages"), packages),
        (gettext("Load average before"), load),
    ]
    if told.get("isolation") in set(Tier):
        lines.append((gettext("Kept apart by"), gettext(TIER_TEXTS[Tier(told["isolation"])])))
    if floor:
        lines += [
            (gettext("Harness floor (a subject that does nothing)"), duration(floor["latency_p50_ns"])),
            (gettext("Cost of one pair of stamps"), duration(floor["stamp_cost_ns"])),
        ]
        if floor["hop_ns"]:
            lines.append((gettext("Cost of reaching the subject's process"), duration(floor["hop_ns"])))
    return lines


def accuracy(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The paired counts, or None when it came to no answers."""
    found = record.get("accuracy")
    return found if isinstance(found, dict) else None


def statements(record: Mapping[str, Any]) -> list[Text]:
    """What must be said beside every number of this record."""
    return [Text(str(record["target"]["statement"])), Text(str(record["notice"]))]


# Words of the protocol's data that pages show, marked for translation.
PROTOCOL_TEXTS = (
    N_("Inference: digits classifier"),
    N_("Compatibility: ONNX operators and models"),
    N_(
        "Runs the ONNX project's own backend tests on a chip with its software, case by case, and the vendor's "
        "own models beside them."
    ),
    N_("Compatibility alone was tried; no speed was measured."),
    N_("The chip and its software are those that the record's environment names."),
    N_("Time for one case (seconds)"),
    N_("A case that takes longer is ended and counted as timed out; the next one goes on."),
    N_("Reference repeated first; if it answers differently, the trial is invalid."),
    N_("Accuracy: sample by sample against FP32. What fails it is not timed."),
    N_("Three scenarios: one query at a time, all at once, at random times."),
    N_("A verdict with its reasons; then the evidence is signed."),
    N_("The suite is written anew and its reference evaluator passes a few cases; if not, the trial is invalid."),
    N_("2,033 cases, each with its result: passed, wrong, refused, crashed or timed out."),
    N_("Your own models: does each load, and does it run?"),
    N_(
        "Runs a classifier in three load scenarios and compares its answers with the FP32 reference, "
        "sample by sample."
    ),
    N_("Measured with LoadGen; not an MLPerf result."),
    N_("Software target on one CPU; no NPU was measured."),
    N_("float32 [batch, 64]: 8 by 8 pixels from 0 to 1"),
    N_("float32 [batch, 10]: one score for each digit"),
    N_("Length of each scenario (seconds)"),
    N_("3 seconds are enough for a demonstration. Verification asks for a Server run of 600 seconds or more."),
    N_("Samples in one batch (Offline)"),
    N_("How many samples the subject gets at once in the Offline scenario."),
    N_("Queries a second (Server)"),
    N_("Queries arrive at random times at this mean rate, whether the subject keeps up or not."),
    N_("Latency limit (Server, milliseconds)"),
    N_("99 of 100 queries must be answered within this time, counted from the moment they were due."),
)

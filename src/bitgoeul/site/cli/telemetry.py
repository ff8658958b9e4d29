"""What measures devices here: one look, or the energy of a stretch of time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import FINDINGS, Out, json_option

if TYPE_CHECKING:
    from bitgoeul.telemetry import Reader, Reading, Sample

INTERVAL_SECONDS = 1.0
HTTP_SECONDS = 10.0
Taken = list[tuple[int, "Sample"]]


@click.group()
def telemetry() -> None:
    """What devices and machines measure of themselves."""


@telemetry.command("read")
@click.option(
    "--prometheus", "exporters", metavar="URL", multiple=True, help="An exporter's page; may be repeated."
)
@click.option(
    "--redfish", "services", metavar="URL", multiple=True, help="A server's controller; may be repeated."
)
@click.option("--rapl", is_flag=True, help="Energy counters of this machine's processors.")
@click.option("--nvml", is_flag=True, help="NVIDIA cards, by their driver.")
@click.option("--furiosa", is_flag=True, help="FuriosaAI cards, by their vendor's library.")
@click.option("--credentials-file", type=click.Path(dir_okay=False, path_type=Path), help="For every URL.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="For every URL.")
@click.option(
    "--over", type=click.IntRange(2, 600), metavar="SECONDS", help="Read once a second, tell the energy."
)
@json_option
def telemetry_read(
    exporters: Sequence[str],
    services: Sequence[str],
    credentials_file: Path | None,
    ca_file: Path | None,
    over: int | None,
    as_json: bool,
    **local: bool,
) -> None:
    """Each device that can be read here, and for a reader that has nothing why, and what to do about it.

    Without a reader all of this machine are tried: --rapl --nvml --furiosa. A power figure tells what it covers;
    what nobody measured is a dash, never 0. Exit status 1 when a reader that you named has nothing, or none has.
    """
    files = {
        "ca_file": str(ca_file.absolute()) if ca_file else "",
        "credentials_file": str(credentials_file.absolute()) if credentials_file else "",
    }
    named = bool(exporters or services or any(local.values()))
    readers = _remote(exporters, services, files) + _local([name for name, on in local.items() if on or not named])
    out = Out(as_json)
    readings = _read_for(readers, over or 0)
    empty = sum(_told(out, each, over) for each in readings)
    raise click.exceptions.Exit(FINDINGS if empty == len(readings) or (named and empty) else 0)


def _remote(exporters: Sequence[str], services: Sequence[str], files: dict[str, str]) -> list[Reader]:
    from bitgoeul.telemetry import Source
    from bitgoeul.telemetry.prometheus import PrometheusReader
    from bitgoeul.telemetry.redfish import RedfishReader

    return [
        *(PrometheusReader(Source(url, **files), seconds=HTTP_SECONDS) for url in exporters),
        *(RedfishReader(Source(url, **files), seconds=HTTP_SECONDS) for url in services),
    ]


def _local(names: Sequence[str]) -> list[Reader]:
    from bitgoeul.telemetry.furiosa import FuriosaReader
    from bitgoeul.telemetry.nvml import NvmlReader
    from bitgoeul.telemetry.rapl import RaplReader

    known: dict[str, type[Reader]] = {"rapl": RaplReader, "nvml": NvmlReader, "furiosa": FuriosaReader}
    return [known[name]() for name in names]


def _read_for(readers: Sequence[Reader], seconds: int) -> list[list[Reading]]:
    """What each reader told, once a second for so many seconds; with 0 once."""
    told = [[reader.read()] for reader in readers]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(INTERVAL_SECONDS)
        for readings, reader in zip(told, readers, strict=True):
            readings.append(reader.read())
    return told


def _told(out: Out, readings: Sequence[Reading], over: int | None) -> bool:
    """Print what one reader told; whether that was nothing."""
    last = readings[-1]
    if last.cause is not None:
        row = {"reader": last.reader, "cause": last.cause, "why": last.why, "remedy": last.remedy}
        out.row(row, f"{last.reader:<10}  nothing: {last.why} {last.remedy}")
        return True
    for sample in last.samples:
        row = sample.to_json()
        line = _line(sample)
        if over:
            taken = [(each.at_ms, one) for each in readings for one in each.samples if one.device == sample.device]
            energy, text = _energy(taken)
            row, line = {**row, **energy}, f"{line}  {text}"
        out.row(row, line)
    return False


def _line(sample: Sample) -> str:
    memory = f"{_or_dash(sample.memory_used_mib)}/{_or_dash(sample.memory_total_mib)} MiB"
    throttle = "-" if sample.throttle is None else ",".join(sample.throttle) or "none"
    parts = [
        f"{sample.reader:<10}",
        f"{_or_dash(sample.index):>3}",
        sample.model or sample.uuid or "-",
        f"{sample.boundary or '-'}: {_thousandth(sample.power_mw)} W, {_thousandth(sample.energy_mj)} J counted",
        f"busy {_or_dash(sample.busy_permille if sample.busy_permille is None else sample.busy_permille / 10)} %",
        memory,
        f"{_or_dash(sample.temperature_celsius)} °C",
        f"{_or_dash(sample.clock_mhz)} MHz",
        f"held back by {throttle}",
    ]
    return "  ".join(parts)


def _energy(taken: Taken) -> tuple[dict[str, Any], str]:
    """A device's energy from its first to its last sample, or why there is none."""
    from bitgoeul.telemetry import NotMeasured, energy

    try:
        found = energy(taken, taken[0][0], taken[-1][0], interval_ms=round(INTERVAL_SECONDS * 1000))
    except NotMeasured as refused:
        return {"over_ms": None, "refused": refused.refusal}, f"no energy: {refused}"
    data = {
        "over_ms": found.end_ms - found.begin_ms,
        "used_mj": found.energy_mj,
        "mean_power_mw": found.mean_power_mw,
        "method": found.method,
        "samples": found.samples,
    }
    mean, used = _thousandth(found.mean_power_mw), _thousandth(found.energy_mj)
    return data, f"{used} J in {data['over_ms']} ms, {mean} W on average by {found.method}"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value}"


def _thousandth(value: int | None) -> str:
    return "-" if value is None else f"{value // 1000}.{value % 1000:03}"


COMMANDS: tuple[click.Command, ...] = (telemetry,)

"""Devices as an exporter tells them in Prometheus' text format."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .exporters import Exporter, Metric, built_in
from .http import fetch
from .reading import DEVICES_MAX, READ_SECONDS, Cause, Failed, Reading, half_up, plain, reading
from .samples import Sample
from .source import Source

LINE_MAX = 4_096
SERIES_MAX = 1_024
# Of the lines that tell something known, together: the parser takes a second for a MiB of labels.
KNOWN_MAX = 256 * 1024
NAME = re.compile(r"(?:# (?:HELP|TYPE) )?([A-Za-z_:][A-Za-z0-9_:]*)")


@dataclass
class Device:
    """What was gathered of one device: values by field, and the reasons to throttle."""

    exporter: Exporter
    index: int | None
    uuid: str
    model: str
    values: dict[str, list[int | None]] = field(default_factory=dict)
    throttle: list[str] | None = None

    def sample(self) -> Sample:
        """The device's sample; two different values for what one series should tell are no measurement."""
        metrics = {metric.figure: metric for metric in self.exporter.metrics.values()}
        figures = {name: _joined(metrics[name], values) for name, values in self.values.items()}
        throttle = None if self.throttle is None else tuple(sorted(set(self.throttle)))
        measured = figures.get("power_mw") is not None or figures.get("energy_mj") is not None
        return Sample(
            reader=PrometheusReader.name,
            boundary=self.exporter.boundary if measured else None,
            index=self.index,
            uuid=self.uuid,
            model=self.model,
            throttle=throttle,
            **{name: value for name, value in figures.items() if value is not None},
        )


def _joined(metric: Metric, values: Sequence[int | None]) -> int | None:
    """One figure of a device from its series; without one core's figure there is no mean of the card."""
    there = [each for each in values if each is not None]
    if metric.over == "mean":
        return half_up(sum(there) / len(there)) if there and len(there) == len(values) else None
    return there[0] if len(set(there)) == 1 else None


class PrometheusReader:
    """Reads an exporter's page at each call."""

    name = "prometheus"

    def __init__(
        self, source: Source, *, seconds: float = READ_SECONDS, exporters: Sequence[Exporter] | None = None
    ) -> None:
        self.source, self.seconds = source, seconds
        self.exporters = built_in() if exporters is None else tuple(exporters)

    def read(self) -> Reading:
        """See the protocol."""
        return reading(self.name, self._read)

    def _read(self) -> list[Sample]:
        answer = fetch(self.source, deadline=time.monotonic() + self.seconds)
        return samples(answer.body, self.exporters)


def samples(body: bytes, exporters: Sequence[Exporter] | None = None) -> list[Sample]:
    """The devices of a page in Prometheus' text format; lines of names that nobody described are not looked at.

    Raises Failed for a page that is no such text, was cut off, or tells of no device.
    """
    known = built_in() if exporters is None else exporters
    if not body:
        raise Failed(Cause.CUT_OFF, "it is empty")
    if not body.endswith(b"\n"):  # half a number would look like a number
        raise Failed(Cause.CUT_OFF, "in the middle of a line")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failed(Cause.MALFORMED, "not UTF-8") from error
    by_name = {name: (exporter, metric) for exporter in known for name, metric in exporter.metrics.items()}
    devices: dict[tuple[str, str], Device] = {}
    for name, labels, value, help_text in _series("\n".join(_lines(text, by_name)) + "\n", by_name):
        exporter, metric = by_name[name]
        if metric.fits(labels) and not any(labels.get(each) for each in exporter.without):
            _take(_device(devices, exporter, labels), metric, value, help_text)
    if not devices:
        raise Failed(Cause.NOTHING_KNOWN)
    return [device.sample() for device in devices.values()]


def _lines(text: str, by_name: Mapping[str, object]) -> Iterator[str]:
    """Only the lines that tell something known: a page of thousands of other figures costs little.

    Bounded here, for the parser takes all series of a name before it gives the first.
    """
    count = size = 0
    for line in text.split("\n"):
        found = NAME.match(line)
        if found is not None and found.group(1) in by_name:
            count += not line.startswith("#")
            size += len(line)
            if len(line) > LINE_MAX:
                raise Failed(Cause.TOO_LARGE, "a line of it")
            if size > KNOWN_MAX:
                raise Failed(Cause.TOO_LARGE, f"more than {KNOWN_MAX} characters of known series")
            if count > SERIES_MAX:
                raise Failed(Cause.TOO_LARGE, f"more than {SERIES_MAX} series")
            yield line


def _series(text: str, by_name: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, str], float, str]]:
    # Its import costs a tenth of a second, and a job without devices never needs it.
    from prometheus_client.parser import text_string_to_metric_families

    try:
        for family in text_string_to_metric_families(text):
            for each in family.samples:
                # The parser gives counters their suffix, whether the exporter did or not.
                name = each.name if each.name in by_name else each.name.removesuffix("_total")
                if name in by_name:
                    yield name, each.labels, float(each.value), family.documentation
    except Exception as error:  # the parser raises many kinds for what strangers write
        raise Failed(Cause.MALFORMED, plain(str(error))) from error


def _device(devices: dict[tuple[str, str], Device], exporter: Exporter, labels: Mapping[str, str]) -> Device:
    index_text, uuid, model = (_first(labels, names) for names in (exporter.index, exporter.uuid, exporter.model))
    key = (exporter.name, uuid or index_text)
    if key not in devices:
        if len(devices) >= DEVICES_MAX:
            raise Failed(Cause.TOO_LARGE, f"more than {DEVICES_MAX} devices")
        devices[key] = Device(exporter, _number(index_text), plain(uuid), plain(model))
    return devices[key]


def _first(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")


def _number(text: str) -> int | None:
    """``3``, ``npu3`` and ``rbln3`` are device 3; a text with two numbers tells none."""
    found = re.fullmatch(r"\D*(\d{1,6})", text)
    return int(found.group(1)) if found else None


def _take(device: Device, metric: Metric, value: float, help_text: str) -> None:
    if metric.figure == "throttle":
        device.throttle = [*(device.throttle or ()), *([metric.word] if value > 0 else ())]
        return
    device.values.setdefault(metric.figure, []).append(metric.value(value, help_text))

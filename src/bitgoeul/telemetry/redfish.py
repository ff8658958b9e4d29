"""What servers draw as their own controllers measure it: the Redfish service of a BMC (DMTF DSP0266, DSP2046)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from .exporters import RANGES
from .http import fetch
from .reading import Cause, Failed, Reading, half_up, plain, reading
from .samples import Boundary, Sample
from .source import Source

CHASSIS = "/redfish/v1/Chassis"
CHASSIS_MAX = 32
ANSWER_MAX = 512 * 1024
# A controller is a slow small computer, and a look takes several requests.
REDFISH_SECONDS = 10.0
PATH = re.compile(r"/redfish/v1/[A-Za-z0-9._~%/-]{1,400}")
# Values of ChassisType in the Chassis schema; every other one is a server.
BOUNDARIES = {
    "Card": Boundary.MODULE,
    "Component": Boundary.MODULE,
    "IPBasedDrive": Boundary.MODULE,
    "Module": Boundary.MODULE,
    "Zone": Boundary.MODULE,
    "Rack": Boundary.RACK,
    "RackGroup": Boundary.RACK,
    "Row": Boundary.RACK,
}


class RedfishReader:
    """Reads the power of each chassis, and its energy counter if it has one: EnvironmentMetrics, else Power."""

    name = "redfish"

    def __init__(self, source: Source, *, seconds: float = REDFISH_SECONDS) -> None:
        self.source, self.seconds = source, seconds

    def read(self) -> Reading:
        """See the protocol."""
        return reading(self.name, self._read)

    def _read(self) -> list[Sample]:
        look = _Look(self.source, time.monotonic() + self.seconds)
        members = look.at(CHASSIS).get("Members")
        if not isinstance(members, list):
            raise Failed(Cause.MALFORMED, "Chassis has no Members")
        if len(members) > CHASSIS_MAX:
            raise Failed(Cause.TOO_LARGE, f"{len(members)} chassis")
        found = [_sample(look, link, index) for index, link in enumerate(members)]
        told = [sample for sample in found if sample is not None]
        if not told:
            raise Failed(Cause.NOTHING_KNOWN, f"{len(members)} chassis, none tells its power")
        return told


class _Look:
    """One walk through a service, all of it by one deadline."""

    def __init__(self, source: Source, deadline: float) -> None:
        self.source, self.deadline = source, deadline

    def at(self, path: str) -> Mapping[str, Any]:
        """The JSON object at a path; raises Failed."""
        body = fetch(self.source, path, deadline=self.deadline, bytes_max=ANSWER_MAX).body
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as error:
            cut = body.lstrip().startswith(b"{") and not body.rstrip().endswith(b"}")
            raise Failed(Cause.CUT_OFF if cut else Cause.MALFORMED, path) from error
        if not isinstance(found, dict):
            raise Failed(Cause.MALFORMED, path)
        return found

    def link(self, link: object) -> Mapping[str, Any] | None:
        """What a link leads to, on the same service only; None without a link."""
        path = link.get("@odata.id") if isinstance(link, dict) else None
        if path is None:
            return None
        if not isinstance(path, str) or not PATH.fullmatch(path):
            raise Failed(Cause.MALFORMED, "a link that leads elsewhere")
        return self.at(path)


def _sample(look: _Look, link: object, index: int) -> Sample | None:
    """The chassis a link leads to; None when it tells no power."""
    chassis = look.link(link) or {}
    metrics = look.link(chassis.get("EnvironmentMetrics")) or {}
    power = _figure(_reading(metrics, "PowerWatts"), 1000, "power_mw")
    energy = _figure(_reading(metrics, "EnergykWh"), 3_600_000_000, "energy_mj")
    if power is None and energy is None:
        power = _figure(_power(look.link(chassis.get("Power")) or {}), 1000, "power_mw")
    if power is None and energy is None:
        return None
    identity = [str(chassis.get(name) or "") for name in ("UUID", "SerialNumber", "@odata.id")]
    return Sample(
        reader=RedfishReader.name,
        boundary=BOUNDARIES.get(str(chassis.get("ChassisType")), Boundary.CHASSIS),
        index=index,
        uuid=plain(next((each for each in identity if each), "")),
        model=plain(str(chassis.get("Model") or chassis.get("Name") or "")),
        power_mw=power,
        energy_mj=energy,
        temperature_celsius=_figure(_reading(metrics, "TemperatureCelsius"), 1, "temperature_celsius"),
    )


def _reading(metrics: Mapping[str, Any], name: str) -> object:
    sensor = metrics.get(name)
    return sensor.get("Reading") if isinstance(sensor, dict) else None


def _power(power: Mapping[str, Any]) -> object:
    """PowerConsumedWatts of the older Power schema: of its first entry, which covers the whole chassis."""
    control = power.get("PowerControl")
    first = control[0] if isinstance(control, list) and control else None
    return first.get("PowerConsumedWatts") if isinstance(first, dict) else None


def _figure(value: object, times: int, field: str) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    least, most = RANGES[field]
    scaled = value * times
    return half_up(scaled) if least <= scaled <= most else None

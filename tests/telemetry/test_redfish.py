"""A Redfish service over real HTTP."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from bitgoeul.telemetry import Boundary, Cause, Sample, Source
from bitgoeul.telemetry.redfish import RedfishReader

DATA = Path(__file__).with_name("data") / "redfish"


@pytest.fixture
def service(loopback):
    for file in DATA.glob("*.json"):
        loopback.pages["/redfish/v1/" + file.stem.replace("_", "/")] = file.read_bytes()
    return loopback


def test_each_chassis_tells_its_power_and_what_it_covers(service):
    reading = RedfishReader(Source(service.url)).read()
    new, old = reading.samples
    assert new == Sample(
        reader="redfish",
        boundary=Boundary.CHASSIS,
        index=0,
        uuid="437XR1138R2",
        model="3500RX",
        power_mw=374_400,
        energy_mj=1_172_430_900_000_000,
        temperature_celsius=24,
    )
    assert (old.index, old.power_mw, old.energy_mj, old.boundary) == (2, 590_000, None, Boundary.CHASSIS)
    # Where the newer resource tells power, the older one is not asked.
    assert "/redfish/v1/Chassis/1U/Power" not in [path for path, _told in service.seen]


def test_a_tray_is_no_server(service):
    tray = json.loads((DATA / "Chassis_Tray.json").read_text())
    tray["EnvironmentMetrics"] = {"@odata.id": "/redfish/v1/Chassis/1U/EnvironmentMetrics"}
    service.pages["/redfish/v1/Chassis/Tray"] = json.dumps(tray).encode()
    assert RedfishReader(Source(service.url)).read().samples[1].boundary is Boundary.MODULE


def drop_by_drop(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(60):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return
        time.sleep(0.05)


def linked(path):
    return json.dumps({"Members": [{"@odata.id": path}]}).encode()


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        (b'{"Members": [', Cause.CUT_OFF),
        (b"[]", Cause.MALFORMED),
        (b"<html>", Cause.MALFORMED),
        (b'{"Members": "all"}', Cause.MALFORMED),
        (b'{"Members": []}', Cause.NOTHING_KNOWN),
        (b"[" * 100_000, Cause.MALFORMED),
        (json.dumps({"Members": [{"@odata.id": "/redfish/v1/Chassis/1U"}] * 33}).encode(), Cause.TOO_LARGE),
        (b'{"x": "' + b"y" * 600_000 + b'"}', Cause.TOO_LARGE),
        (linked("http://elsewhere/redfish/v1/Chassis/1"), Cause.MALFORMED),
        (linked("//elsewhere/redfish/v1/"), Cause.MALFORMED),
        (linked("/redfish/v1/a\r\nX: y"), Cause.MALFORMED),
        (linked("/redfish/v1/Chassis/Missing"), Cause.REFUSED),
        (linked("/redfish/v1/Chassis/Tray"), Cause.NOTHING_KNOWN),
        (drop_by_drop, Cause.TOO_SLOW),
    ],
)
def test_a_bad_answer_is_named_within_its_time(service, page, cause):
    service.pages["/redfish/v1/Chassis"] = page
    began = time.monotonic()
    reading = RedfishReader(Source(service.url), seconds=1.0).read()
    assert (reading.cause, reading.samples) == (cause, ())
    assert time.monotonic() - began < 2.5


def test_a_figure_that_is_no_number_was_not_measured(service):
    strange = {"PowerWatts": {"Reading": True}, "EnergykWh": {"Reading": "1"}, "TemperatureCelsius": None}
    service.pages["/redfish/v1/Chassis/1U/EnvironmentMetrics"] = json.dumps(strange).encode()
    service.pages["/redfish/v1/Chassis/1U/Power"] = b'{"PowerControl": [{"PowerConsumedWatts": -3}]}'
    reading = RedfishReader(Source(service.url)).read()
    assert [each.index for each in reading.samples] == [2]

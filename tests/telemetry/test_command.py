"""`bitgoeul telemetry read` as a process of its own, against a real exporter on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

DATA = Path(__file__).with_name("data")


def telemetry(*words):
    done = subprocess.run(
        [sys.executable, "-m", "bitgoeul.site.cli", "telemetry", "read", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": "src"},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_one_row_a_device_and_a_reason_for_each_reader_without(loopback, tmp_path):
    loopback.pages["/metrics"] = (DATA / "all-smi.txt").read_bytes()
    status, out, err = telemetry("--prometheus", f"{loopback.url}/metrics", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, err, len(rows)) == (0, "", 4)
    assert (rows[0]["boundary"], rows[0]["power_mw"], rows[0]["busy_permille"]) == ("card", 512_345, 875)
    assert rows[3]["power_mw"] is None
    status, out, _err = telemetry("--prometheus", f"{loopback.url}/metrics", "--redfish", f"{loopback.url}/")
    lines = out.splitlines()
    assert status == 1
    assert "card: 512.345 W" in lines[0]
    assert "busy 0.0 %" in lines[2]
    assert "-: - W" in lines[3]
    assert lines[4].startswith("redfish     nothing: It refused the request. (HTTP 404) Correct")


@pytest.mark.slow
def test_energy_over_a_time_says_how_it_was_found_and_refuses_a_gap(loopback):
    begun = time.monotonic()

    def counting(handler):
        mj = round((time.monotonic() - begun) * 50_000)
        body = (
            f'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",UUID="GPU-1"}} {mj}\n'
            'all_smi_gpu_power_consumption_watts{gpu_index="1"} 30\n'
        ).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    loopback.pages["/metrics"] = counting
    status, out, _err = telemetry("--prometheus", f"{loopback.url}/metrics", "--over", "2", "--json")
    by_counter, by_power = [json.loads(line) for line in out.splitlines()]
    assert (status, by_counter["method"], by_power["method"]) == (0, "counter", "trapezoid")
    assert 45_000 < by_counter["mean_power_mw"] < 55_000
    assert by_power["mean_power_mw"] == 30_000
    assert abs(by_power["used_mj"] - 30 * by_power["over_ms"]) <= 1

    def restored():
        loopback.pages["/metrics"] = counting

    def gone():
        loopback.pages["/metrics"] = b""

    timers = [threading.Timer(2.0, gone), threading.Timer(6.5, restored)]
    for timer in timers:
        timer.start()
    _status, out, _err = telemetry("--prometheus", f"{loopback.url}/metrics", "--over", "9", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["over_ms"], row["refused"]) for row in rows] == [(None, "gap"), (None, "gap")]
    assert all("used_mj" not in row for row in rows)


def test_a_bad_address_is_refused_before_anything_is_asked():
    status, out, err = telemetry("--prometheus", "http://ara:secret@node/metrics", "--json")
    assert (status, out) == (2, "")
    assert "credentials_file" in err
    assert "secret" not in err

"""Exporters over real HTTP: what their documented answers say, and everything else named within its time."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.telemetry import Boundary, Cause, Sample, Source
from bitgoeul.telemetry.exporters import read
from bitgoeul.telemetry.http import BYTES_MAX
from bitgoeul.telemetry.prometheus import KNOWN_MAX, SERIES_MAX, PrometheusReader, samples
from bitgoeul.telemetry.reading import reading

DATA = Path(__file__).with_name("data")
PIECES = [
    "all_smi_gpu_utilization", "furiosa_npu_core_utilization", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "# HELP ", "# TYPE ", " counter", " histogram", " gauge", "_total", "_bucket", "{", "}", '="', '"', ",",
    "gpu_index", "gpu", "device", "core", "uuid", " ", " 1", " NaN", " 1e999", "\n", "\\", "\\n",
]  # fmt: skip


def asked(loopback, body, **values):
    loopback.pages["/metrics"] = body
    return PrometheusReader(Source(f"{loopback.url}/metrics"), **values).read()


class TestDocumentedAnswers:
    def test_all_smi_tells_cards_of_every_maker(self, loopback):
        reading = asked(loopback, (DATA / "all-smi.txt").read_bytes())
        assert reading.cause is None
        h100, rngd, first, second = reading.samples
        assert h100 == Sample(
            reader="prometheus",
            boundary=Boundary.CARD,
            index=0,
            uuid="GPU-0a1b",
            model="NVIDIA H100 80GB HBM3",
            power_mw=512_345,
            busy_permille=875,
            memory_used_mib=65_536,
            memory_total_mib=81_920,
            temperature_celsius=61,
            clock_mhz=1_980,
        )
        assert (rngd.model, rngd.busy_permille, rngd.power_mw, rngd.clock_mhz) == (
            "Furiosa RNGD",
            120,
            37_440,
            None,
        )
        assert (first.power_mw, first.busy_permille, first.memory_used_mib) == (42_800, 0, 0)
        # The card's other die: measured and idle is 0, not measured is None, and no boundary without a figure.
        assert (second.power_mw, second.boundary, second.memory_used_mib) == (None, None, 1)

    def test_furiosa_tells_by_core_and_label(self, loopback):
        (card,) = asked(loopback, (DATA / "furiosa.txt").read_bytes()).samples
        assert card == Sample(
            reader="prometheus",
            boundary=Boundary.CARD,
            index=3,
            uuid="09512C86",
            model="rngd",
            power_mw=50_000,
            busy_permille=499,  # the mean of 99.7 % and 0.1 %
            memory_used_mib=1_024,
            memory_total_mib=49_152,
            temperature_celsius=68,
            clock_mhz=1_625,
            throttle=("throttling_events",),
        )

    def test_rebellions_takes_units_from_the_help_and_no_power_that_four_devices_repeat(self, loopback):
        plus, die = asked(loopback, (DATA / "rebellions.txt").read_bytes()).samples
        assert (plus.index, plus.power_mw, plus.memory_used_mib, plus.memory_total_mib) == (
            0,
            18_100,
            2_048,
            16_096,
        )
        assert (die.index, die.busy_permille, die.power_mw) == (1, 0, None)

    def test_dcgm_tells_its_counter_and_no_instance_is_taken_for_a_card(self, loopback):
        (card,) = asked(loopback, (DATA / "dcgm.txt").read_bytes()).samples
        assert (card.index, card.energy_mj, card.power_mw) == (0, 13_948_734_901, 251_234)
        assert (card.memory_used_mib, card.busy_permille, card.clock_mhz) == (40_536, 550, 1_410)

    def test_another_exporter_is_a_data_file(self, loopback):
        described = {
            "mine": {
                "boundary": "wall",
                "index": ["outlet"],
                "uuid": [],
                "model": [],
                "metrics": {"pdu_outlet_power": {"is": "power_mw", "in": "watts"}},
            }
        }
        exporters = read(json.loads(json.dumps(described)))
        (sample,) = asked(loopback, b'pdu_outlet_power{outlet="4"} 90.5\n', exporters=exporters).samples
        assert (sample.boundary, sample.index, sample.power_mw) == (Boundary.WALL, 4, 90_500)

    @pytest.mark.parametrize(
        "changed",
        [{"is": "colour", "in": "watts"}, {"is": "power_mw", "in": "horsepower"}, {"is": "throttle"}],
    )
    def test_a_data_file_that_cannot_be_understood_is_refused(self, changed):
        entry = {"boundary": "card", "index": [], "uuid": [], "model": [], "metrics": {"x": changed}}
        with pytest.raises(ValueError, match="mine: x"):
            read({"mine": entry})


class TestFigures:
    @pytest.mark.parametrize("value", ["NaN", "+Inf", "-1", "101", "1e300"])
    def test_what_cannot_be_true_was_not_measured(self, loopback, value):
        body = f'all_smi_gpu_utilization{{gpu_index="0"}} {value}\n'.encode()
        (sample,) = asked(loopback, body).samples
        assert sample.busy_permille is None

    def test_a_little_above_the_whole_is_the_whole(self, loopback):
        (sample,) = asked(loopback, b'all_smi_gpu_utilization{gpu_index="0"} 100.2\n').samples
        assert sample.busy_permille == 1_000

    def test_two_values_for_one_figure_are_none(self, loopback):
        body = b"".join(b'all_smi_gpu_utilization{gpu_index="0",x="%d"} %d\n' % (n, n) for n in (1, 2))
        (sample,) = asked(loopback, body).samples
        assert sample.busy_permille is None

    def test_the_same_value_twice_is_told_once(self, loopback):
        body = b"".join(b'all_smi_gpu_utilization{gpu_index="0",pod="%d"} 7\n' % n for n in (1, 2))
        (sample,) = asked(loopback, body).samples
        assert sample.busy_permille == 70

    def test_a_core_without_a_figure_leaves_none_for_the_card(self, loopback):
        line = 'furiosa_npu_core_utilization{device="npu0",uuid="a",core="%s"} %s\n'
        body = "".join(line % each for each in ((0, "80"), (1, "NaN"), (2, "90"))).encode()
        (sample,) = asked(loopback, body).samples
        assert sample.busy_permille is None

    def test_memory_without_a_unit_is_not_guessed(self, loopback):
        body = b'RBLN_DEVICE_STATUS:DRAM_USED{name="rbln0"} 12\nRBLN_DEVICE_STATUS:UTILIZATION{name="rbln0"} 1\n'
        (sample,) = asked(loopback, body).samples
        assert sample.memory_used_mib is None

    def test_texts_of_strangers_become_one_short_line(self, loopback):
        body = b'all_smi_gpu_utilization{gpu_index="0",gpu="a\\nb\x1b[31m' + b"c" * 500 + b'"} 1\n'
        (sample,) = asked(loopback, body).samples
        assert sample.model.isprintable()
        assert len(sample.model) <= 200


def slow(handler):
    """One byte of the head at a time, for longer than anybody waits."""
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Pad: y\r\n" * 400:
        try:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.05)


def slow_body(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _ in range(100):
        try:
            handler.wfile.write(b"# x\n")
        except OSError:
            return
        time.sleep(0.05)


def endless(handler):
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"a_metric_of_no_interest 1\n" * 1_000)
    except OSError:
        handler.close_connection = True


def half(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'all_smi_gpu_utilization{gpu_index="0"} 1')
    handler.close_connection = True


def half_a_number(handler):
    """No length told: that the last figure is whole can only be seen by its line's end."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(b'all_smi_gpu_power_consumption_watts{gpu_index="0"} 12')
    handler.close_connection = True


def silent(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def no_http(handler):
    handler.wfile.write(b"\x00\x01\x02 hello\r\n\r\n")
    handler.close_connection = True


def status(code):
    def answer(handler):
        handler.send_response(code)
        handler.send_header("Location", "http://127.0.0.1:1/metrics")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


class TestBadAnswers:
    @pytest.mark.parametrize(
        ("page", "cause"),
        [
            (slow, Cause.TOO_SLOW),
            (slow_body, Cause.TOO_SLOW),
            (endless, Cause.TOO_LARGE),
            (half, Cause.CUT_OFF),
            (half_a_number, Cause.CUT_OFF),
            (silent, Cause.CUT_OFF),
            (no_http, Cause.MALFORMED),
            (status(302), Cause.REFUSED),
            (status(500), Cause.REFUSED),
            (status(403), Cause.NOT_ALLOWED),
            (b"", Cause.CUT_OFF),
            (b"\xff\xfe\n", Cause.MALFORMED),
            (b"<html><body>It works</body></html>\n", Cause.NOTHING_KNOWN),
            (b'all_smi_gpu_utilization{gpu_index="0} 1\n', Cause.MALFORMED),
            (b"all_smi_gpu_utilization one\n", Cause.MALFORMED),
            (b'all_smi_gpu_utilization{gpu="' + b"x" * 20_000 + b'"} 1\n', Cause.TOO_LARGE),
            (b"".join(b'all_smi_gpu_utilization{gpu_index="%d"} 1\n' % n for n in range(5_000)), Cause.TOO_LARGE),
        ],
        ids=lambda each: each.__name__ if callable(each) else str(each)[:24],
    )
    def test_it_is_named_within_its_time(self, loopback, page, cause):
        began = time.monotonic()
        # Longer for those that must reach a limit of size on a busy machine; the others get what a job gives.
        seconds = 2.0 if cause is Cause.TOO_LARGE else 0.5
        reading = asked(loopback, page, seconds=seconds)
        assert (reading.cause, reading.samples) == (cause, ())
        assert time.monotonic() - began < seconds + 1.5
        assert reading.why
        assert reading.remedy

    @given(
        st.lists(st.sampled_from(PIECES) | st.text(max_size=6) | st.floats(width=16).map(str), max_size=40).map(
            "".join
        )
    )
    def test_no_page_makes_it_fail_in_an_unforeseen_way(self, page):
        told = reading("test", lambda: samples(f"{page}\n".encode("utf-8", "surrogatepass")))
        assert told.cause is not Cause.BROKEN, told.detail
        assert all(each.busy_permille is None or 0 <= each.busy_permille <= 1_000 for each in told.samples)

    def test_more_series_than_anybody_has_are_too_many(self, loopback):
        body = b"".join(b'all_smi_gpu_utilization{x="%d"} 1\n' % n for n in range(SERIES_MAX + 1))
        assert asked(loopback, body, seconds=10.0).cause is Cause.TOO_LARGE
        (sample,) = asked(loopback, body.split(b"\n", 1)[1], seconds=10.0).samples
        assert sample.busy_permille == 10

    @pytest.mark.parametrize("labels", [15, 300])
    def test_the_worst_page_is_told(self, labels):
        """As many labels as are taken, and a page as large; bench/telemetry_page.py has its time."""
        pad = ",".join(f'l{n}=""' for n in range(labels))
        lines = [f'all_smi_gpu_utilization{{gpu_index="{n % 8}",x="{n}",{pad}}} 1\n' for n in range(SERIES_MAX)]
        page = "".join(lines[: KNOWN_MAX // (len(lines[-1]) + 4)])
        page += "a_metric_of_no_interest 1\n" * ((BYTES_MAX - len(page)) // 26)
        assert len(samples(page.encode())) == 8

    def test_more_labels_than_anybody_has_are_too_many(self, loopback):
        pad = "y" * (KNOWN_MAX // 100)
        body = "".join(f'all_smi_gpu_utilization{{x="{n}",y="{pad}"}} 1\n' for n in range(100)).encode()
        assert len(body) < BYTES_MAX
        assert asked(loopback, body, seconds=10.0).cause is Cause.TOO_LARGE

    def test_nobody_there(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/metrics"
        assert PrometheusReader(Source(url)).read().cause is Cause.UNREACHABLE

    def test_nobody_accepts(self):
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.create_connection(full.getsockname(), timeout=1)]
            began = time.monotonic()
            reading = PrometheusReader(Source(f"http://127.0.0.1:{full.getsockname()[1]}/metrics")).read()
            assert reading.cause is Cause.TOO_SLOW
            assert time.monotonic() - began < 1.5
            waiting[0].close()

    def test_an_exporter_that_comes_back_is_read_again(self, loopback):
        loopback.pages["/metrics"] = half
        reader = PrometheusReader(Source(f"{loopback.url}/metrics"))
        assert reader.read().cause is Cause.CUT_OFF
        loopback.pages["/metrics"] = b'all_smi_gpu_utilization{gpu_index="0"} 1\n'
        assert reader.read().samples[0].busy_permille == 10

"""What a job made of what it was given: samples as it runs, and what to ask for next time."""

from __future__ import annotations

import html
import json
import time
from dataclasses import replace

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from bitgoeul.compute import use
from bitgoeul.compute.facade import JobState, Limits
from bitgoeul.compute.ports import SAMPLES_MAX, Ending, Sample
from bitgoeul.engines.local.samples import Samples
from bitgoeul.kernel.clock import now

from .asking import python

LIMITS = Limits(cores=4, memory_mib=4096, wall_seconds=3600, processes=8, file_mib=8)


def told(measured: use.Measured, samples: list[Sample], ending: Ending = Ending.COMPLETED) -> list[str]:
    return [str(each) for each in use.advice(measured, samples, LIMITS, ending)]


class TestSamples:
    def test_an_hour_is_at_most_so_many_points_and_loses_no_time(self):
        samples = Samples()
        for second in range(1, 3_601):
            samples.saw(900 if second == 1_801 else 100)
            samples.saw(90)
            samples.add(second * 1_000, second * 2_000)
        samples.add(3_600_500, 7_201_000, last=True)
        assert len(samples.points) < SAMPLES_MAX
        walls = [point[0] for point in samples.points]
        assert walls == sorted(set(walls))
        assert samples.points[-1][:2] == [3_600_500, 7_201_000]
        assert max(point[2] for point in samples.points) == 900
        busy = use.cores_busy([Sample(*point) for point in samples.points])
        assert all(value == pytest.approx(2.0) for value in busy)

    def test_a_job_of_less_than_a_second_has_its_last_point(self):
        samples = Samples()
        samples.saw(50)
        samples.add(200, 10)
        samples.saw(40)
        samples.add(400, 20, last=True)
        assert samples.points == [[400, 20, 50]]


class TestAdvice:
    def test_idle_cores_are_named_but_never_fewer_than_were_busy_at_once(self):
        samples = [Sample(30_000, 30_000, 10), Sample(60_000, 90_000, 10)]
        lines = told(use.Measured(4, 1_800_000, 1_800_000, 3_000 * 1024), samples)
        assert lines == ["On average 1.0 of 4 cores were busy, 2.0 at most: ask for 2, and it costs less."]
        busy_once = [*samples, Sample(61_000, 94_000, 10)]
        assert told(use.Measured(4, 1_800_000, 1_800_000, 3_000 * 1024), busy_once) == []

    def test_a_limit_far_beyond_the_need_holds_back_and_waits(self):
        lines = told(use.Measured(4, 600_000, 2_400_000, 200 * 1024), [])
        assert lines == [
            "It took 600 of 3600 seconds: ask for 1200, less is set aside and it may start sooner.",
            "It needed 200 of 4096 MiB of memory: 256 are enough, and it may start sooner.",
        ]

    def test_cached_files_are_no_reason_to_ask_for_more_memory(self):
        measured = use.Measured(4, 1_800_000, 7_200_000, 4_090 * 1024)
        assert told(measured, [Sample(1_800_000, 7_200_000, 2_000 * 1024)]) == []
        (line,) = told(measured, [Sample(1_800_000, 7_200_000, 4_000 * 1024)])
        assert "ask for 5120" in line

    def test_a_job_at_its_time_limit_hears_of_that_alone(self):
        (line,) = told(use.Measured(4, 3_600_000, 0, 0), [], Ending.TIME_LIMIT)
        assert "time limit" in line

    def test_a_short_job_tells_nothing(self):
        assert told(use.Measured(4, 9_999, 0, 0), []) == []


@pytest.mark.django_db
def test_use_is_seen_while_it_runs_and_kept_after(sign_in, ara, owner, submit, follow):
    client = sign_in(ara)
    client.cookies["django_language"] = "en"
    view = submit(python("import time; t = time.time()\nwhile time.time() - t < 2.5: pass"))

    def shown() -> str:
        answer = client.get(f"/jobs/{view.id}/use/", headers={"HX-Request": "true"})
        assert answer.status_code == 200
        return html.unescape(answer.content.decode())

    assert "Nothing yet" in shown()
    follow(view, JobState.RUNNING)
    limit = time.monotonic() + 20
    while not use.job_use(actor=owner, job_id=view.id).samples and time.monotonic() < limit:
        time.sleep(0.1)
    live = use.job_use(actor=owner, job_id=view.id)
    assert live.samples[0].cpu_ms > 0
    assert 'hx-trigger="every 10s"' in shown()
    follow(view)
    kept = use.job_use(actor=owner, job_id=view.id)
    assert list(kept.samples[: len(live.samples)]) == list(live.samples)
    assert kept.samples[-1].wall_ms == kept.measured.wall_ms
    assert max(use.cores_busy(kept.samples)) > 0
    page = shown()
    assert "cores-chart" in page
    assert 'hx-trigger="every 10s"' not in page
    answer = client.get(f"/api/v1/jobs/{view.id}/use")
    assert json.loads(answer.content)["samples"][-1] == kept.samples[-1]._asdict()


@pytest.mark.django_db
def test_a_stranger_sees_no_use(sign_in, chan, submit):
    view = submit(python("print(1)"))
    assert sign_in(chan).get(f"/jobs/{view.id}/use/").status_code == 404


def points(*busy, power=100_000):
    """A minute each: busy in thousandths, None where nobody measured."""
    return [
        Sample(60_000 * place, 0, 0, told, None if told is None else 64, None if told is None else power)
        for place, told in enumerate(busy, 1)
    ]


class TestDevices:
    def test_idle_devices_are_named_only_where_they_were_measured_for_most_of_the_time(self):
        line = (
            "Its devices were busy 12.0 % on average: feed them faster, in larger batches or from more cores, "
            "or ask for fewer."
        )
        measured = use.Measured(1, 240_000, 240_000, 3_900 * 1024)
        limits = Limits(cores=1, memory_mib=8_000, wall_seconds=300, processes=8, file_mib=8)

        def told(*busy):
            return [str(each) for each in use.advice(measured, points(*busy), limits, Ending.COMPLETED)]

        assert told(120, 120, 120) == [line]
        assert told(120, None, 120) == [line]
        assert told(120, None, None) == []
        assert told(300, 300) == []
        assert told(None, None) == []
        short = [Sample(30_000, 0, 0, 1, 1, 1)]
        assert [str(each) for each in use.advice(measured, short, limits, Ending.COMPLETED)] == []

    def test_charts_say_what_is_a_mean_what_is_a_sum_and_what_power_covers(self):
        measured = use.Measured(1, 180_000, 0, 0)
        devices = use.Devices("prometheus", 2, "card", "")
        with translation.override("en"):
            drawn = use.charts(use.JobUse(measured, points(100, None, 500), [], devices), LIMITS)
        busy, memory, power = drawn[2:]
        assert (busy.id, busy.data["series"][0]["values"]) == ("device-busy-chart", [10.0, None, 50.0])
        assert busy.reading == "30.0 % on average of its 2 devices, measured in 66 % of its time"
        assert (memory.data["unit"], memory.reading) == ("MiB", "64 MiB at most on its 2 devices together")
        assert power.title == "Power of its devices (measured at: card)"
        assert (power.reading, power.data["series"][0]["values"]) == (
            "100.0 W at most of its 2 devices together",
            [100.0, None, 100.0],
        )

    def test_without_a_figure_there_is_no_chart_and_never_a_nought(self):
        measured = use.Measured(1, 120_000, 0, 0)
        drawn = use.charts(use.JobUse(measured, points(None, None), [], None), LIMITS)
        assert [each.id for each in drawn] == ["cores-chart", "memory-chart"]

    @pytest.mark.parametrize("boundary", ["", "moon"])
    def test_power_of_nobody_knows_what_is_not_drawn(self, boundary):
        devices = use.Devices("prometheus", 1, boundary, "")
        drawn = use.charts(use.JobUse(use.Measured(1, 180_000, 0, 0), points(100, 500), [], devices), LIMITS)
        ids = [each.id for each in drawn]
        assert ids == ["cores-chart", "memory-chart", "device-busy-chart", "device-memory-chart"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("finished", "line"),
    [(False, "Its devices are not read yet."), (True, "It ended before its devices were read.")],
)
def test_devices_that_somebody_will_read_are_not_called_unmeasured(submit, grant, finished, line):
    grant("target_ms")
    submit()
    measured_by("http://127.0.0.1:1/")
    job = submit(python("pass", devices={"software-target": 1}))
    job = replace(job, state=JobState.RUNNING, ended_at=now() if finished else None)
    before = use.JobUse(use.Measured(1, 0, 0, 0), [], [], use.Devices("prometheus", 0, "", ""))
    with translation.override("en"):
        page = render_to_string("compute/parts/use.html", {"job": job, "use": before, "charts": []})
    assert line in page
    assert "Nobody" not in page
    assert "Figures of its own devices" not in page


@pytest.fixture
def exporter(tmp_path):
    from engines.exporting import Exporter

    running = Exporter(tmp_path)
    yield running
    running.kill()


def measured_by(url):
    """Let the local cluster be measured by an exporter, or by nobody."""
    from bitgoeul.compute.models import Cluster

    config = {"cores": 2, "devices": {"software-target": 2}}
    Cluster.objects.filter(code="local").update(
        config={**config, "telemetry": {"reader": "prometheus", "url": url}} if url else config
    )


@pytest.mark.django_db
def test_devices_are_seen_while_it_runs_and_kept_after(sign_in, ara, owner, submit, follow, grant, exporter):
    client = sign_in(ara)
    client.cookies["django_language"] = "en"
    grant("target_ms")
    exporter.tell({0: {"busy": 25, "memory": 512, "power": 80.5}, 1: {"busy": 99, "memory": 9, "power": 9}})
    first = submit()
    measured_by(exporter.url)
    view = submit(python("import time; time.sleep(6)", devices={"software-target": 1}))

    def shown():
        return html.unescape(client.get(f"/jobs/{view.id}/use/", headers={"HX-Request": "true"}).content.decode())

    def of_api():
        return json.loads(client.get(f"/api/v1/jobs/{view.id}/use").content)

    follow(view, JobState.RUNNING)
    limit = time.monotonic() + 20
    while len(use.job_use(actor=owner, job_id=view.id).samples) < 2 and time.monotonic() < limit:
        time.sleep(0.1)
    page = shown()
    assert "Figures of its own devices alone, told by prometheus." in page
    assert "25.0 % on average" in page
    assert "Power of its devices (measured at: card)" in page
    exporter.kill()
    while (of_api()["devices"] or {}).get("unread") is None and time.monotonic() < limit:
        time.sleep(0.1)
    assert "Its devices are not measured at the moment. Nothing answers at its address." in shown()
    assert follow(view).state is JobState.SUCCEEDED
    assert "Its devices were not measured up to its end." in shown()
    told = of_api()
    assert told["devices"] == {"reader": "prometheus", "measured": 1, "boundary": "card", "unread": "unreachable"}
    kept = {each["device_busy_permille"] for each in told["samples"]}
    assert kept <= {250, None}
    assert 250 in kept
    assert {each["device_power_mw"] for each in told["samples"]} <= {80_500, None}
    assert "devices_reader" not in client.get(f"/jobs/{view.id}/").content.decode()
    assert first.id != view.id


@pytest.mark.django_db
def test_a_cluster_that_nobody_measures_says_so_only_to_jobs_with_devices(sign_in, ara, submit, follow, grant):
    client = sign_in(ara)
    client.cookies["django_language"] = "en"
    grant("target_ms")
    submit()
    measured_by("")
    with_device = submit(python("import time; time.sleep(1.5)", devices={"software-target": 1}))
    without = submit(python("import time; time.sleep(1.5)"))
    follow(with_device)
    follow(without)

    def shown(view):
        return client.get(f"/jobs/{view.id}/").content.decode()

    assert "Nobody measured its devices." in shown(with_device)
    assert "its devices" not in shown(without)


@pytest.mark.django_db
def test_points_kept_before_devices_were_measured_stay_readable(sign_in, ara, owner, submit, follow):
    from bitgoeul.compute.models import JobSamples

    client = sign_in(ara)
    view = submit()
    JobSamples.objects.create(pk=view.id, points=[[1_000, 5, 9], [2_000, 6, 9]])
    follow(view)  # what is kept stays: the end writes no second row
    kept = use.job_use(actor=owner, job_id=view.id)
    assert list(kept.samples) == [Sample(1_000, 5, 9), Sample(2_000, 6, 9)]
    assert [each.device_power_mw for each in kept.samples] == [None, None]
    page = client.get(f"/jobs/{view.id}/use/", headers={"HX-Request": "true"}).content.decode()
    assert "cores-chart" in page
    assert "device-" not in page
    told = json.loads(client.get(f"/api/v1/jobs/{view.id}/use").content)["samples"]
    assert [(each["wall_ms"], each["device_busy_permille"]) for each in told] == [(1_000, None), (2_000, None)]

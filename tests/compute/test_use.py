"""What a job made of what it was given: samples as it runs, and what to ask for next time."""

from __future__ import annotations

import html
import json
import time

import pytest

from bitgoeul.compute import use
from bitgoeul.compute.facade import JobState, Limits
from bitgoeul.compute.ports import SAMPLES_MAX, Ending, Sample
from bitgoeul.engines.local.samples import Samples

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

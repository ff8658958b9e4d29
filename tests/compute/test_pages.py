"""Pages of jobs, as Ara, Bora, Chan and an engineer see them."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.compute.facade import JobState
from bitgoeul.compute.models import Job
from bitgoeul.compute.services import following
from bitgoeul.kernel.ids import new_id
from people import elevate

from .asking import python, request

pytestmark = pytest.mark.django_db
QUERIES_MAX = 30
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def page(sign_in, ara):
    """Ara's browser, in English: ``page(path)`` gives the text of a page."""
    client = sign_in(ara)
    client.cookies["django_language"] = "en"

    def get(path: str, **headers: str) -> str:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 200, answer.content
        return html.unescape(answer.content.decode())

    get.client = client
    return get


def new_form(page, project) -> tuple[str, dict[str, object]]:
    path = f"/projects/{project.id}/jobs/new/"
    job_id = re.search(r'name="id" value="([^"]+)"', page(path)).group(1)
    fields = {"id": job_id, "name": "first try", "command": "python -c 'print(6 * 7)'", "cores": 1}
    limits = {"wall_seconds": 20, "memory_mib": 256, "processes": 8, "file_mib": 8, "work_mib": 64}
    return path, {**fields, **limits, "device_software-target": 0, "script": "", "outputs": ""}


def test_from_the_form_to_the_result(page, project, cores, follow, submit):
    path, fields = new_form(page, project)
    answer = page.client.post(path, fields)
    assert answer.status_code == 302, answer.content
    job_path = answer["Location"]
    assert page.client.post(path, fields)["Location"] == job_path
    job = Job.objects.get()
    assert "Queued" in page(job_path)
    done = follow(job)
    shown = page(job_path)
    assert "Succeeded" in shown
    assert "42" in shown
    assert 'hx-trigger="every 2s"' not in shown
    assert str(done.measured["wall_ms"]) in shown.replace(",", "")
    assert page.client.get(f"{job_path}files/log/stdout").getvalue() == b"42\n"


def test_a_script_runs_without_a_command(page, project, cores, follow):
    path, fields = new_form(page, project)
    answer = page.client.post(path, {**fields, "command": "", "script": "echo one\r\necho two\r\n"})
    job = Job.objects.get()
    follow(job)
    assert "one\ntwo\n" in page(answer["Location"])


def test_the_price_follows_what_is_typed(page, project, cores):
    path, fields = new_form(page, project)
    assert "3,540 core·s" in page(path) or "59" in page(path)
    answer = page.client.post(
        path.replace("new", "price"), {**fields, "cores": 2, "wall_seconds": 100}, headers=FRAGMENT
    )
    shown = answer.content.decode()
    assert "200 core·s" in shown
    assert "<html" not in shown
    shown = page.client.post(path.replace("new", "price"), {**fields, "wall_seconds": 9999}).content.decode()
    assert "not enough" in shown
    assert Job.objects.count() == 0


def test_the_price_needs_no_script(page, project, cores):
    path, fields = new_form(page, project)
    answer = page.client.post(path, {**fields, "wall_seconds": 200, "show": "1"})
    assert answer.status_code == 200
    assert "200 core·s" in answer.content.decode()
    assert Job.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"command": "", "script": ""}, "Give a command or a script."),
        ({"command": "python 'open"}, "A quotation in the command is not closed."),
        ({"wall_seconds": 9999}, "up to 9999 core-seconds, and 3600 are left"),
        ({"outputs": "../x"}, "is not a plain file name"),
        ({"name": ""}, "This field is required."),
        ({"cores": 0}, "greater than or equal to 1"),
        ({"device_software-target": 1}, "device-seconds of target"),
    ],
)
def test_a_mistake_stands_beside_its_field(page, project, cores, changes, words):
    path, fields = new_form(page, project)
    answer = page.client.post(path, {**fields, **changes})
    assert answer.status_code == 400
    assert words in html.unescape(answer.content.decode())
    assert Job.objects.count() == 0


def test_the_log_is_followed_in_pieces(page, submit, follow, owner):
    view = submit(python("import time; print('<b>one</b>', flush=True); time.sleep(1); print('two')"))
    follow(view, JobState.RUNNING)
    piece = ""
    while "one" not in piece:
        piece = page.client.get(f"/jobs/{view.id}/log/?offset=0", headers=FRAGMENT).content.decode()
    assert "&lt;b&gt;one" in piece
    offset = re.search(r"offset=(\d+)", html.unescape(piece)).group(1)
    assert offset == "11"
    assert 'hx-trigger="load delay:2s"' in piece
    follow(view)
    rest = page.client.get(f"/jobs/{view.id}/log/?offset={offset}", headers=FRAGMENT).content.decode()
    assert rest == "two\n"
    plain = page.client.get(f"/jobs/{view.id}/log/")
    assert plain["Content-Type"].startswith("text/plain")


def test_the_state_asks_for_a_new_page_at_the_end(page, submit, follow):
    view = submit(python("import time; time.sleep(0.3)"))
    path = f"/jobs/{view.id}/state/"
    running = page.client.get(path, headers=FRAGMENT)
    assert "HX-Refresh" not in running
    assert 'hx-trigger="every 2s"' in running.content.decode()
    follow(view)
    assert page.client.get(path, headers=FRAGMENT)["HX-Refresh"] == "true"
    assert page.client.get(path)["Location"] == f"/jobs/{view.id}/"


def test_a_log_can_be_searched(page, submit, follow):
    view = follow(submit(python("print('alpha'); print('Beta'); print('beta')")))
    shown = page(f"/jobs/{view.id}/?q=BETA")
    assert "2 lines found" in shown
    assert "2: Beta\n3: beta" in shown
    assert "alpha" not in re.search(r"<pre.*?</pre>", shown, re.S).group(0)


def test_a_job_says_how_it_was_kept_apart_and_what_that_holds(page, submit):
    view = submit()
    told = {
        "isolation": "landlock",
        "isolation_parts": "Landlock",
        "isolation_why_not": "container: no bubblewrap",
    }
    Job.objects.filter(pk=view.id).update(environment=told)
    shown = page(f"/jobs/{view.id}/")
    assert "Limits, closed files and no network" in shown
    assert "container: no bubblewrap" in shown
    assert "<dt>Sends over UDP</dt><dd>blocked</dd>" in shown
    assert "<dt>Takes all memory</dt><dd>ended when seen</dd>" in shown


def test_what_depends_on_cgroups_is_said_for_this_job(page, submit):
    view = submit()
    for parts, word in (("bubblewrap, cgroup v1", "blocked"), ("bubblewrap, no cgroup", "ended when seen")):
        Job.objects.filter(pk=view.id).update(environment={"isolation": "container", "isolation_parts": parts})
        assert f"<dt>Takes all memory</dt><dd>{word}</dd>" in page(f"/jobs/{view.id}/")


def test_cancelling_by_button(page, submit):
    view = submit()
    answer = page.client.post(f"/jobs/{view.id}/cancel/", follow=True)
    assert "Cancelled" in answer.content.decode()
    again = page.client.post(f"/jobs/{view.id}/cancel/", follow=True)
    assert again.status_code == 200
    assert page.client.get(f"/jobs/{view.id}/cancel/").status_code == 405


def test_cancelling_what_has_ended_says_so(page, submit, follow):
    view = follow(submit())
    answer = page.client.post(f"/jobs/{view.id}/cancel/", follow=True)
    assert "is not possible" in html.unescape(answer.content.decode())


def test_an_unknown_job_shows_its_way_out_to_engineers_only(
    page, sign_in, engineer, submit, follow, engine_home, monkeypatch
):
    monkeypatch.setattr(following, "UNLISTED", timedelta(0))
    view = submit(python("import time; time.sleep(0.1)"))
    follow(view, JobState.RUNNING)
    (engine_home / "local" / "jobs" / str(view.id)).rename(engine_home / "aside")
    follow(view, JobState.UNKNOWN)
    shown = page(f"/jobs/{view.id}/")
    assert "neither done nor failed" in shown
    assert "write-off" not in shown
    assert "write_off" not in shown
    client = sign_in(engineer)
    offered = client.get(f"/jobs/{view.id}/").content.decode()
    assert 'href="/account/elevation/?verb=compute.write_off_job"' in offered
    assert "write-off" not in offered
    refused = client.post(f"/jobs/{view.id}/write-off/", {"reason": "gone"})
    assert "elevation_needed" in refused.content.decode()
    assert Job.objects.get().state == JobState.UNKNOWN
    elevate(client, engineer)
    assert "write-off" in client.get(f"/jobs/{view.id}/").content.decode()
    client.post(f"/jobs/{view.id}/write-off/", {"reason": "gone"})
    assert Job.objects.get().state == JobState.FAILED


def test_chan_and_strangers_stay_out(client, sign_in, chan, submit, project):
    view = submit()
    paths = [f"/jobs/{view.id}/{part}" for part in ("", "state/", "log/", "files/log/stdout")]
    paths += [f"/projects/{project.id}/jobs/", f"/projects/{project.id}/jobs/new/"]
    for path in paths:
        assert client.get(path).status_code == 302, path
    sign_in(chan)
    for path in paths:
        assert client.get(path).status_code == 404, path
    assert client.post(f"/jobs/{view.id}/cancel/").status_code == 404
    assert client.post(f"/projects/{project.id}/jobs/price/", {}).status_code == 404


def test_an_auditor_reads_but_does_not_submit(sign_in, auditor, submit, project):
    view = submit()
    client = sign_in(auditor)
    assert client.get(f"/jobs/{view.id}/").status_code == 200
    assert client.get(f"/projects/{project.id}/jobs/").status_code == 200
    assert client.get(f"/projects/{project.id}/jobs/new/").status_code == 403


def queries(page, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        page(path)
    return len(seen)


def test_pages_ask_little_and_do_not_grow(page, project, submit, follow):
    first = follow(submit(python("open('a', 'w'); print(1)", outputs=("a",))))
    paths = {f"/projects/{project.id}/jobs/", f"/jobs/{first.id}/", f"/projects/{project.id}/jobs/new/"}
    for path in paths:
        page(path)
    before = {path: queries(page, path) for path in paths}
    for _ in range(4):
        submit(id=new_id(), name="another", wanted=request("true"))
    assert {path: queries(page, path) for path in paths} == before
    assert max(before.values()) <= QUERIES_MAX


def test_korean_is_complete_on_the_job_pages(sign_in, ara, submit, follow, project):
    view = follow(submit(python("print(1)")))
    client = sign_in(ara)
    for path in (f"/jobs/{view.id}/", f"/projects/{project.id}/jobs/", f"/projects/{project.id}/jobs/new/"):
        text = client.get(path, headers={"Accept-Language": "ko"}).content.decode().split("<main", 1)[1]
        body = re.sub(r"<(code|pre)\b.*?</\1>|<[^>]+>", " ", text, flags=re.S)
        for word in ("Submitted", "Charged", "Succeeded", "Price", "Command", "Search", "More limits"):
            assert word not in body, (path, word)

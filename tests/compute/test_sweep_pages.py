"""Pages of sweeps, as Ara, Bora, Chan and an auditor see them: from the form to the last job."""

from __future__ import annotations

import html
import re
from io import BytesIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from bitgoeul.compute import facade as compute
from bitgoeul.compute import sweeps
from bitgoeul.compute.facade import JobState
from bitgoeul.compute.job_templates import SWEEPS
from bitgoeul.compute.models import Job, Sweep
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.ids import new_id

from .asking import request
from .test_pages import FRAGMENT, page  # noqa: F401

pytestmark = pytest.mark.django_db


def new_form(page, project, template: str = "") -> tuple[str, dict[str, object]]:  # noqa: F811
    """The address of the form, and what a browser would send of it."""
    path = f"/projects/{project.id}/sweeps/new/"
    text = page(f"{path}?template={template}")
    fields = {
        "id": re.search(r'name="id" value="([^"]+)"', text).group(1), "name": "rates", "way": "grid",
        "command": "sh -c 'echo {lr} $seed'", "parameters": "lr = 0.1, 0.01\nseed = 1, 2, 3", "cores": 1,
        "wall_seconds": 20, "memory_mib": 256, "processes": 8, "file_mib": 8, "work_mib": 64,
        "device_software-target": 0, "script": "", "outputs": "",
    }  # fmt: skip
    return path, fields


def price(page, path: str, fields: dict[str, object]) -> str:  # noqa: F811
    answer = page.client.post(path.replace("new", "price"), fields, headers=FRAGMENT)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


# --- tables


@pytest.mark.parametrize(
    "text", ["lr,seed\n0.1,1\n0.2,2\n", "lr\tseed\n0.1\t1\n\n0.2\t2", 'lr, seed\n"0.1", 1\n0.2, 2']
)
def test_a_table_gives_its_points(text):
    points = sweeps.read_table(text)
    assert (points.names, points.values) == (("lr", "seed"), (("0.1", "1"), ("0.2", "2")))
    assert sweeps.read_table('name,words\na,"one, two"').values == (("a", "one, two"),)


@pytest.mark.parametrize("text", ["", "lr", "lr,lr\n1,2", "lr,seed\n1", "lr\n1,2", 'lr\n"1\0', "a-b\n1"])
def test_a_table_that_is_none_is_refused(text):
    with pytest.raises(BadInput) as caught:
        sweeps.read_table(text)
    assert caught.value.field == "parameters"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('lr,seed\n0.1,"1\n0.2,2\n0.3,3', 2),
        ('lr,seed\n0.1,1\n\n\n"0.2,2\n0.3,3', 5),
        ("lr,seed\n\n\n0.1", 4),
        ('lr,note\n\n0.1,"two\n\nlines"\n0.2\n', 6),
        ("lr,seed\n0.1," + "9" * 140_000, 2),
    ],
)
def test_the_refusal_of_a_table_names_the_line_of_the_fault(text, line):
    with pytest.raises(BadInput) as caught:
        sweeps.read_table(text)
    assert f"Line {line} " in str(caught.value)


def test_a_quoted_cell_keeps_its_line_breaks():
    assert sweeps.read_table('a,b\n\n"x\n\ny",1\n').values == (("x\n\ny", "1"),)


# --- the form


def test_from_the_form_to_the_result(page, project, cores, follow, owner):  # noqa: F811
    path, fields = new_form(page, project)
    answer = page.client.post(path, fields)
    assert answer.status_code == 302, answer.content
    sweep_path = answer["Location"]
    assert page.client.post(path, fields)["Location"] == sweep_path
    assert (Sweep.objects.count(), Job.objects.count()) == (1, 6)
    shown = page(sweep_path)
    assert "0 of 6 jobs have ended." in shown
    assert 'hx-trigger="every 5s"' in shown
    assert "120 core·s" in shown, "what all of them hold"
    sweep = Sweep.objects.get()
    for job in compute.sweep_jobs(actor=owner, sweep_id=sweep.pk).items:
        follow(job)
    shown = page(sweep_path)
    assert "All succeeded" in shown
    assert "6 of 6 jobs have ended." in shown
    assert "every 5s" not in shown
    assert "Cancel the rest" not in shown
    last = Job.objects.get(sweep_index=5)
    assert f'href="/jobs/{last.pk}/"' in shown
    job_page = page(f"/jobs/{last.pk}/")
    assert "0.01 3\n" in job_page
    assert f'href="{sweep_path}"' in job_page
    assert "lr=0.01 seed=3" in job_page


def test_the_preview_says_how_many_what_they_cost_and_the_first_lines(page, project, cores):  # noqa: F811
    path, fields = new_form(page, project)
    shown = price(page, path, fields)
    assert re.search(r"6</span>\s*<span class=\"unit\">jobs", shown)
    assert "120 core·s" in shown
    assert "lr=0.1 seed=2 sh -c 'echo 0.1 $seed'" in shown
    assert "and 3 more" in shown
    assert "<html" not in shown
    shown = price(page, path, {**fields, "wall_seconds": 1800})
    assert "What is left is enough for 2 of the jobs." in shown
    shown = price(page, path, {**fields, "wall_seconds": 4000})
    assert "What is left is not enough for one of them." in shown
    assert "enough for 0" not in shown
    assert price(page, path, {**fields, "parameters": "x", "way": "grid"}).count("Line 1 must say") == 1
    assert "these parameters make 1001" in price(
        page, path, {**fields, "parameters": "n = " + ",".join(map(str, range(1001)))}
    )
    table = price(page, path, {**fields, "way": "table", "parameters": "lr,seed\n0.5,7"})
    assert "lr=0.5 seed=7 sh -c 'echo 0.5 $seed'" in table
    assert "Give values to see" in price(page, path, {**fields, "parameters": ""})
    assert Job.objects.count() == 0


def test_the_preview_needs_no_script(page, project, cores):  # noqa: F811
    path, fields = new_form(page, project)
    answer = page.client.post(path, {**fields, "show": "1"})
    assert answer.status_code == 200
    assert "and 3 more" in html.unescape(answer.content.decode())
    assert Job.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"command": ""}, "Give a command or a script."),
        ({"parameters": ""}, "This field is required."),
        ({"parameters": "lr = "}, "A sweep is of 1 to 1000 jobs; these parameters make 0."),
        ({"parameters": "n = " + ",".join(map(str, range(1001)))}, "these parameters make 1001"),
        ({"parameters": "a\n1,2", "way": "table"}, "Line 2 must give 1 values"),
        ({"parameters": "BITGOEUL_X = 1"}, "cannot be a parameter"),
        ({"way": "?"}, "Select a valid choice"),
        ({"wall_seconds": 3000}, "enough for 1 of them"),
        ({"device_software-target": 1}, "device-seconds of target"),
    ],
)
def test_a_refusal_keeps_the_work_and_stands_beside_its_field(page, project, cores, changes, words):  # noqa: F811
    path, fields = new_form(page, project)
    answer = page.client.post(path, {**fields, **changes})
    assert answer.status_code == 400
    shown = html.unescape(answer.content.decode())
    assert words in shown
    kept = {**fields, **changes}
    assert html.unescape(str(kept["command"])) in shown
    assert str(kept["parameters"])[:200] in shown
    assert re.search(r'id="\w*-error"', shown)
    if "wall_seconds" in changes:
        assert "What is left is enough for 1 of the jobs." in shown, "the price stands beside the refusal"
    assert (Job.objects.count(), Sweep.objects.count()) == (0, 0)


@pytest.mark.parametrize("template", [each.code for each in SWEEPS])
def test_a_template_runs_as_it_stands(template, page, project, cores, follow, owner):  # noqa: F811
    assert f"/projects/{project.id}/sweeps/new/?template={template}" in page(f"/projects/{project.id}/jobs/new/")
    path = f"/projects/{project.id}/sweeps/new/"
    text = page(f"{path}?template={template}")
    fields = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', text))
    areas = re.findall(r'<textarea name="([^"]+)"[^>]*>\s*(.*?)</textarea>', text, re.DOTALL)
    answer = page.client.post(path, {**fields, **dict(areas), "way": "grid"})
    assert answer.status_code == 302, answer.content.decode()
    sweep = Sweep.objects.get()
    for job in compute.sweep_jobs(actor=owner, sweep_id=sweep.pk).items:
        assert follow(job).state == JobState.SUCCEEDED


# --- a sweep's page


@pytest.fixture
def sweep(owner, project, cores):
    def go(parameters=None, **changes):
        values = {
            "actor": owner, "id": new_id(), "project_id": project.id, "name": "rates",
            "request": request("sh", "-c", "exit $code", wall_seconds=1),
            "points": sweeps.grid(parameters or {"lr": ["0.1", "0.2"], "code": ["0", "1"]}),
        }  # fmt: skip
        return compute.submit_sweep(**{**values, **changes})

    return go


def test_the_page_counts_filters_and_draws(page, sweep, follow, owner):  # noqa: F811
    view = sweep()
    for job in compute.sweep_jobs(actor=owner, sweep_id=view.id).items:
        follow(job)
    shown = page(f"/sweeps/{view.id}/")
    assert "2 without success" in shown
    assert 'href="?state=FAILED"' in shown
    assert {"sq-used", "sq-failed"} <= set(re.findall(r"sq-\w+", shown))
    failed = page(f"/sweeps/{view.id}/?state=FAILED")
    listed = re.findall(r'id="job-(\d+)"', failed)
    assert listed == ["1", "3"]
    assert "No job is in this state now." in page(f"/sweeps/{view.id}/?state=RUNNING")
    assert len(re.findall(r'id="job-\d+"', page(f"/sweeps/{view.id}/?state=nonsense&page=x"))) == 4


def test_a_jobs_page_shows_its_values_and_no_other_variable(page, sweep):  # noqa: F811
    view = sweep(request=request("true", env={"SECRET": "hunter2"}))
    shown = page(f"/jobs/{Job.objects.get(sweep_id=view.id, sweep_index=1).pk}/")
    assert "lr=0.1 code=1" in shown
    assert "hunter2" not in shown


def test_the_live_part_renews_itself_until_the_end(page, sweep, follow, owner):  # noqa: F811
    view = sweep({"code": ["0"]})
    path = f"/sweeps/{view.id}/state/"
    running = page.client.get(path + "?state=QUEUED", headers=FRAGMENT)
    assert "HX-Refresh" not in running
    assert f'hx-get="{path}?state=QUEUED"' in running.content.decode()
    for job in compute.sweep_jobs(actor=owner, sweep_id=view.id).items:
        follow(job)
    assert page.client.get(path, headers=FRAGMENT)["HX-Refresh"] == "true"
    assert page.client.get(path)["Location"] == f"/sweeps/{view.id}/"


def test_the_rest_is_cancelled_after_a_question(page, sweep, balance):  # noqa: F811
    view = sweep({"code": [str(n) for n in range(30)]})
    shown = page(f"/sweeps/{view.id}/")
    assert "This cannot be undone" in shown
    answer = page.client.post(f"/sweeps/{view.id}/cancel/", follow=True)
    text = html.unescape(answer.content.decode())
    assert "The rest of the sweep was cancelled." in text
    assert "30 without success" in text
    assert balance(view).held == 0
    assert page.client.get(f"/sweeps/{view.id}/cancel/").status_code == 405


def test_the_workbook_has_every_job(page, sweep, follow, owner):  # noqa: F811
    view = sweep({"note": ["=1+1"], "code": [str(n % 2) for n in range(30)]})
    first, second = compute.sweep_jobs(actor=owner, sweep_id=view.id).items[:2]
    follow(first)
    follow(second)
    answer = page.client.get(f"/sweeps/{view.id}/jobs.xlsx")
    sheet = load_workbook(BytesIO(answer.content)).active
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0][:5] == ("Number", "note", "code", "State", "Exit status")
    assert len(rows) == 31
    assert rows[2][:5] == (2, "=1+1", "1", "Ended in failure", 1)
    assert rows[2][7] >= 0, "milliseconds"
    done = compute.job(actor=owner, job_id=second.id)
    assert rows[2][8:] == (done.charged["core_ms"], str(done.id))
    page.client.cookies["django_language"] = "ko"
    answer = page.client.get(f"/sweeps/{view.id}/jobs.xlsx")
    heads = next(load_workbook(BytesIO(answer.content)).active.iter_rows(values_only=True))
    assert heads[8].startswith("차감("), "the word of the page"


def test_the_list_helps_when_it_is_empty_and_shows_how_far_each_is(page, project, sweep):  # noqa: F811
    path = f"/projects/{project.id}/sweeps/"
    shown = page(path)
    assert "No sweep yet" in shown
    assert f'href="{path}new/?template=sweep"' in shown
    view = sweep()
    shown = page(path)
    assert f'href="/sweeps/{view.id}/"' in shown
    assert "0 / 4" in shown
    assert path in page(f"/projects/{project.id}/jobs/")
    assert path in page(f"/projects/{project.id}/")


# --- who may, and what it costs


def test_chan_and_strangers_stay_out(client, sign_in, chan, sweep, project):
    view = sweep()
    paths = [f"/sweeps/{view.id}/{part}" for part in ("", "state/", "jobs.xlsx")]
    paths += [f"/projects/{project.id}/sweeps/", f"/projects/{project.id}/sweeps/new/"]
    for path in paths:
        assert client.get(path).status_code == 302, path
    sign_in(chan)
    for path in paths:
        assert client.get(path).status_code == 404, path
    assert client.post(f"/sweeps/{view.id}/cancel/").status_code == 404
    assert client.post(f"/projects/{project.id}/sweeps/price/", {}).status_code == 404
    assert Job.objects.filter(state=JobState.QUEUED).count() == 4


def test_an_auditor_reads_but_neither_submits_nor_cancels(sign_in, auditor, sweep, project):
    view = sweep()
    client = sign_in(auditor)
    for path in (f"/sweeps/{view.id}/", f"/sweeps/{view.id}/jobs.xlsx", f"/projects/{project.id}/sweeps/"):
        assert client.get(path).status_code == 200
    assert client.get(f"/projects/{project.id}/sweeps/new/").status_code == 403
    assert client.post(f"/sweeps/{view.id}/cancel/").status_code == 403
    assert "Cancel them all" not in client.get(f"/sweeps/{view.id}/").content.decode()


def queries(page, path: str) -> int:  # noqa: F811
    with CaptureQueriesContext(connection) as seen:
        assert page.client.get(path).status_code == 200
    return len(seen)


def test_pages_and_workbook_do_not_grow_with_the_jobs(page, project, sweep):  # noqa: F811
    small = sweep({"code": ["0"]})
    sweep()
    paths = ["/sweeps/{}/", "/sweeps/{}/jobs.xlsx"]
    for path in paths:
        queries(page, path.format(small.id))
    before = [queries(page, path.format(small.id)) for path in paths]
    listed = queries(page, f"/projects/{project.id}/sweeps/")
    full = sweep({"lr": [str(n) for n in range(10)], "code": [str(n) for n in range(100)]})
    assert [queries(page, path.format(full.id)) for path in paths] == before
    assert queries(page, f"/projects/{project.id}/sweeps/") == listed
    assert max(*before, listed) <= 20
    shown = page(f"/sweeps/{full.id}/")
    assert "0 of 1,000 jobs have ended." in shown
    assert shown.count('id="job-') == 20


def test_typing_costs_the_same_for_a_thousand_jobs(page, project, cores):  # noqa: F811
    path, fields = new_form(page, project)

    def cost(**changes: object) -> int:
        with CaptureQueriesContext(connection) as seen:
            price(page, path, {**fields, **changes})
        return len(seen)

    cost()
    assert cost(parameters="n = " + ",".join(map(str, range(1000)))) == cost() <= 17


def test_korean_is_complete(sign_in, ara, sweep, project):
    view = sweep()
    client = sign_in(ara)
    for path in (f"/sweeps/{view.id}/", f"/projects/{project.id}/sweeps/", f"/projects/{project.id}/sweeps/new/"):
        text = client.get(path, headers={"Accept-Language": "ko"}).content.decode().split("<main", 1)[1]
        body = re.sub(r"<(code|pre|textarea)\b.*?</\1>|<[^>]+>", " ", text, flags=re.S)
        for word in ("Submitted", "Charged", "Sweep", "Price", "Command", "Values", "jobs", "Cancel"):
            assert word not in body, (path, word)
        assert "사용 정산" not in body
    shown = client.get(f"/sweeps/{view.id}/", headers={"Accept-Language": "ko"}).content.decode()
    assert '<th scope="col" class="ar">차감</th>' in shown
    assert "5초마다 자동으로 새로 고쳐집니다." in shown

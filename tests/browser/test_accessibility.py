"""axe on every page address, as everybody: Korean on a desktop and English on a phone.

Both languages and both sizes are looked at everywhere; all four pairs would take twice as long and find the same.
axe goes in through the debugging protocol, so the pages keep their content security policy. Nothing moves: a
button that has just been enabled would be looked at on its way from grey.
"""

from __future__ import annotations

import re

import pytest

from portal_pages import addresses, is_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = {"ko": (1440, 900), "en": (390, 844)}
PEOPLE = ("anonymous", "ara", "staff", "engineer")
GRAVE = ("serious", "critical")
RUN = "axe.run(document, {resultTypes: ['violations'], preload: false}).then((found) => found.violations)"
MAIN = re.compile(r"<main.*</main>", re.DOTALL)
PASSING = re.compile(r'csrfmiddlewaretoken" value="[^"]+"|[0-9a-f]{8}-[0-9a-f-]{27}')
# What a form says of everything that is wrong at once: sent empty, or with what it does not take.
FAULTS = (
    ("ara", "/account/"),
    ("ara", "/organisations/new/"),
    ("ara", "/organisations/{company}/"),
    ("ara", "/projects/{project}/members/"),
    ("ara", "/projects/{project}/jobs/new/"),
    ("ara", "/projects/{project}/sweeps/new/"),
    ("ara", "/projects/{project}/subjects/new/"),
    ("ara", "/projects/{project}/trials/new/"),
    ("ara", "/calls/quick-start/apply/"),
    ("ara", "/evidence/{private}/"),
    ("anonymous", "/start/1/"),
    ("anonymous", "/start/all/"),
    ("anonymous", "/verify/"),
    ("anonymous", "/accounts/login/"),
    ("anonymous", "/accounts/signup/"),
    ("anonymous", "/nothing/here/"),
)


def grave(page) -> list[str]:
    """What axe finds serious or critical on the page as it stands."""
    axe = pytest.importorskip("axe_playwright_python.base").AXE_SCRIPT
    page.evaluate(axe)
    return [
        f"{found['id']} {found['help']}: {node['html'][:160]}"
        for found in page.evaluate(RUN)
        for node in found["nodes"]
        if (node["impact"] or found["impact"]) in GRAVE
    ]


def wrong_with(watched, path: str) -> list[str]:
    """What is wrong with the page as it stands; its own quiet is asked first, for axe itself writes styles."""
    wrong = []
    try:
        watched.check()
    except AssertionError as told:
        wrong.append(str(told))
    wrong += [f"{path}: {one}" for one in grave(watched.page)]
    return wrong


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("person", PEOPLE)
def test_no_page_has_a_grave_fault(furnished, person, language):
    watched = furnished.tab(person, language, SIZES[language], reduced_motion="reduce")
    wrong, seen = [], []
    for path in addresses(furnished.ids):
        answer = furnished.ask(person, path, language)
        if not is_page(answer.status_code, answer.headers["content-type"]):
            continue
        seen.append(path)
        # What somebody before was shown in the very same words needs no second look.
        content = (language, path, PASSING.sub("", MAIN.search(answer.text)[0]))
        if content in furnished.looked_at:
            continue
        furnished.looked_at.add(content)
        watched.problems.clear()
        watched.open(path)
        wrong += wrong_with(watched, path)
    assert len(seen) > 15, seen
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_no_form_with_faults_has_a_grave_fault(furnished, language):
    wrong = []
    for person, path in FAULTS:
        watched = furnished.tab(person, language, SIZES[language], reduced_motion="reduce")
        path = path.format(**furnished.ids)
        watched.page.goto(watched.base + path)
        form = watched.page.locator("main form[method=post]")
        if form.count():
            with watched.page.expect_navigation():
                form.first.evaluate("form => { form.noValidate = true; form.submit(); }")
        wrong += wrong_with(watched, path)
    assert not wrong, "\n".join(wrong)

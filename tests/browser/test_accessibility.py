"""axe on every page address: anonymous, member, staff and engineer, Korean and English, desktop and phone.

axe goes in through the debugging protocol, so the pages keep their content security policy.
"""

from __future__ import annotations

import re

import pytest

from portal_pages import addresses, is_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESKTOP, PHONE = (1440, 900), (390, 844)
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


def in_both_sizes(watched, path: str, language: str) -> list[str]:
    """What is wrong at either size; the page's own quiet is asked first, for axe itself writes styles."""
    wrong, page = [], watched.page
    for name, (width, height) in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_viewport_size({"width": width, "height": height})
        watched.problems.clear()
        try:
            watched.check()
        except AssertionError as told:
            wrong.append(str(told))
        wrong += [f"{path} {language} {name}: {one}" for one in grave(page)]
        page.evaluate("window.__violations = []")
    return wrong


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("person", PEOPLE)
def test_no_page_has_a_grave_fault(furnished, person, language):
    watched = furnished.tab(person, language)
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
        watched.open(path)
        wrong += in_both_sizes(watched, path, language)
    assert len(seen) > 15, seen
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_no_form_with_faults_has_a_grave_fault(furnished, language):
    wrong = []
    for person, path in FAULTS:
        watched = furnished.tab(person, language)
        path = path.format(**furnished.ids)
        watched.page.goto(watched.base + path)
        form = watched.page.locator("main form[method=post]")
        if form.count():
            with watched.page.expect_navigation():
                form.first.evaluate("form => { form.noValidate = true; form.submit(); }")
        wrong += in_both_sizes(watched, path, language)
    assert not wrong, "\n".join(wrong)

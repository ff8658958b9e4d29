"""The journey in a real browser: a founder's way from seven questions to evidence that checks itself.

By addresses and field names, so that the same steps serve Korean and English, desktop and phone.
"""

from __future__ import annotations

import json
import re
import time

import pytest

from bitgoeul.site.journey.steps import ANSWERS, FIELDS
from installation import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESKTOP, PHONE = (1440, 900), (390, 844)
FOUNDER, STAFF = "gaon@backpack.example", "staff@operator.example"
TRIAL_SECONDS_MAX = 180.0
IDENTIFIER = r"[0-9a-f]{8}-[0-9a-f-]{27}"


def fill(page, name: str, value: str) -> None:
    """Put ``value`` into the field called ``name``, whatever kind of field it is; absent fields stay absent."""
    field = page.locator(f"main [name='{name}']")
    if field.count() == 0:
        return
    kind = field.first.evaluate("e => e.tagName === 'INPUT' ? e.type : e.tagName.toLowerCase()")
    if kind == "select":
        field.select_option(value)
    elif kind in {"radio", "checkbox"}:
        # The design system draws the mark beside a hidden control: people press the words.
        option = page.locator(f"main [name='{name}'][value='{value}']")
        words = page.locator(f"main label[for='{option.get_attribute('id')}']")
        (
            words
            if words.count()
            else page.locator("main label").filter(has=page.locator(f"[name='{name}'][value='{value}']"))
        ).click()
        assert option.is_checked()
    else:
        field.fill(value)


def link(page, pattern: str):
    """The first link of the page's content whose address matches."""
    for each in page.locator("main a").all():
        if re.search(pattern, each.get_attribute("href") or ""):
            return each
    raise AssertionError(f"no link like {pattern} on {page.url}")


def apply(watched) -> str:
    """Answer the questions, read the plan, apply; the path of the agreement."""
    page = watched.open("/start/").page
    for answer in ANSWERS.values():
        watched.check()
        fill(page, "answer", answer)
        page.locator("main form button.primary[type=submit]").first.click()
    page.wait_for_url("**/plan/")
    watched.check()
    link(page, r"/apply/").click()
    fill(page, "title", "INT8 숫자 인식 (예시)")
    for name, value in {**ANSWERS, **FIELDS}.items():
        fill(page, name, value)
    watched.check()
    page.locator("button[name=action][value=submit]").click()
    page.wait_for_url(re.compile(r"/applications/"))
    watched.check()
    return link(page, r"^/agreements/" + IDENTIFIER).get_attribute("href")


def sign(watched, path: str) -> None:
    page = watched.open(path).page
    watched.check()
    form = page.locator("main form[action$='/sign/']")
    form.locator("[name=agree]").check()
    # The page that answers has the same address, so only the navigation itself can be waited for.
    with page.expect_navigation():
        form.locator("button[type=submit]").click()
    watched.check()


def hand_in(watched, project: str, model) -> None:
    page = watched.open(f"{project}subjects/new/").page
    fill(page, "name", "숫자 인식 INT8 (예시)")
    page.locator("main input[type=file]").set_input_files(model)
    watched.check()
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url(re.compile(r"/subjects/" + IDENTIFIER))
    watched.check()


def ask(watched) -> str:
    """Ask for a public trial of the subject being looked at; the path of the trial."""
    page = watched.page
    link(page, r"/trials/new/").click()
    fill(page, "visibility", "public")
    watched.check()
    page.locator("main form button.primary[type=submit]").click()
    page.wait_for_url(re.compile(r"/trials/" + IDENTIFIER))
    watched.check()
    return re.sub(r"^https?://[^/]+", "", page.url)


def measured(watched, trial: str) -> str:
    """Wait on the trial's page, which follows the trial by itself, until its evidence is linked; the digest."""
    page, limit = watched.open(trial).page, time.monotonic() + TRIAL_SECONDS_MAX
    evidence = page.locator("main a[href^='/evidence/']")
    while evidence.count() == 0:
        assert time.monotonic() < limit, page.locator("main").inner_text()
        page.wait_for_timeout(500)
    watched.check()
    return re.search(r"[0-9a-f]{64}", evidence.first.get_attribute("href"))[0]


def tone(page) -> str:
    return page.locator("[data-part=result]").first.get_attribute("data-tone")


def check_itself(watched, digest: str) -> None:
    """The reader's own browser checks the evidence, and refuses it with one byte flipped."""
    page = watched.open(f"/verify/{digest}/").page
    wait_for(lambda: tone(page) == "valid")
    page.locator("[data-action=flip]").click()
    wait_for(lambda: tone(page) == "refused")
    page.locator("[data-action=restore]").click()
    wait_for(lambda: tone(page) == "valid")
    watched.check()


def check_on_a_desk(watched, chromium, digest: str, folder) -> None:
    """The downloaded file does the same without the portal."""
    page = watched.open(f"/verify/{digest}/").page
    with page.expect_download() as got:
        link(page, r"verifier\.html").click()
    file = folder / "verifier.html"
    got.value.save_as(file)
    desk = chromium.new_context(offline=True).new_page()
    desk.goto(file.as_uri())
    wait_for(lambda: tone(desk) == "valid")
    desk.locator("[data-action=flip]").click()
    wait_for(lambda: tone(desk) == "refused")
    desk.context.close()


def verified(watched) -> list[int]:
    """The values verified here, as the front page shows them."""
    page = watched.open("/").page
    watched.check()
    return [int(one.inner_text().replace(",", "")) for one in page.locator(".register .verified .num").all()]


@pytest.mark.parametrize(("language", "size"), [("ko", DESKTOP), ("en", PHONE)], ids=["ko-desktop", "en-phone"])
def test_a_founder_walks_in_and_proves_something(
    tab, sign_in_as, chromium, shared_installation, tmp_path, language, size
):
    founder, staff, officer = tab(language, size), tab(language, size), tab(language, size)
    before = verified(officer)

    sign_in_as(founder, FOUNDER)
    agreement = apply(founder)
    sign(founder, agreement)
    founder.open("/home/").check()
    sign_in_as(staff, STAFF)
    staff.open("/home/")
    link(staff.page, re.escape(agreement))
    staff.check()
    sign(staff, agreement)

    page = founder.open("/home/").page
    project = link(page, r"^/projects/").get_attribute("href")
    founder.check()
    for path in (project, f"{project}statement/", f"{project}members/", f"{project}jobs/new/"):
        founder.open(path).check()

    hand_in(founder, project, shared_installation.home / "models" / "digits-int8.onnx")
    trial = ask(founder)
    digest = measured(founder, trial)
    assert founder.page.locator(".state-badge.bg-light-success").count() > 0
    assert founder.page.locator("[data-chart][data-drawn]").count() > 0
    founder.open(f"/evidence/{digest}/").check()
    job = link(founder.open(trial).page, r"^/jobs/").get_attribute("href")
    founder.open(job).check()
    founder.open(project).check()

    check_itself(officer, digest)
    check_on_a_desk(officer, chromium, digest, tmp_path)
    wait_for(lambda: sum(verified(officer)) > sum(before))
    officer.open("/board/").check()
    assert digest in officer.page.content()
    for other_language, other_size in (("ko", PHONE), ("en", DESKTOP)):
        other = tab(other_language, other_size)
        for path in ("/", "/board/", "/figures/", f"/verify/{digest}/"):
            other.open(path).check()


def test_what_the_front_page_shows_is_what_the_interface_says(tab):
    watched = tab("en")
    said = {
        one["code"]: one
        for one in json.loads(watched.open("/api/v1/figures").page.locator("body").inner_text())["items"]
    }
    page = watched.open("/").page
    cards = page.locator(".register").all()
    assert len(cards) == 6
    for card in cards:
        code = card.locator(".verified a").first.get_attribute("href").strip("/").split("/")[-1]
        number = card.locator(".verified .num")
        assert (number.count() == 0) == (said[code]["verified"] is None)
        if number.count():
            assert number.inner_text() == f"{said[code]['verified']['value']:,}"

"""The portal by keyboard alone: every stop can be seen, nothing keeps the focus, and work gets done."""

from __future__ import annotations

import re
from itertools import count

import pytest

from keyboard import Hand, round_trip

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESKTOP, PHONE = (1440, 900), (390, 844)
PAGES = (
    ("anonymous", "/"),
    ("anonymous", "/board/"),
    ("anonymous", "/calls/"),
    ("anonymous", "/catalogue/"),
    ("anonymous", "/start/1/"),
    ("anonymous", "/verify/"),
    ("anonymous", "/accounts/login/"),
    ("anonymous", "/example/sign-in/"),
    ("ara", "/home/"),
    ("ara", "/account/"),
    ("ara", "/projects/{project}/"),
    ("ara", "/projects/{project}/jobs/new/"),
    ("ara", "/projects/{project}/trials/new/"),
    ("ara", "/calls/quick-start/apply/"),
    ("ara", "/evidence/{private}/"),
    ("staff", "/decisions/"),
    ("staff", "/operators/"),
    ("staff", "/account/elevation/"),
    ("engineer", "/fleet/"),
)


@pytest.fixture
def hand(furnished):
    """Somebody's hand on a new tab; without movement, for what still moves is not where it will be."""

    def make(person: str, language: str = "ko", size: tuple[int, int] = DESKTOP) -> Hand:
        return Hand(furnished.tab(person, language, size, reduced_motion="reduce"))

    return make


@pytest.mark.parametrize(("language", "size"), [("ko", DESKTOP), ("en", PHONE)], ids=["ko-desktop", "en-phone"])
def test_every_stop_is_seen_and_none_keeps_the_focus(furnished, hand, language, size):
    wrong, hands = [], {}
    for person, path in PAGES:
        mine = hands.setdefault(person, hands.get(person) or hand(person, language, size))
        wrong += round_trip(mine.open(path.format(**furnished.ids))) + mine.wrong
    assert not wrong, "\n".join(dict.fromkeys(wrong))


def test_shift_tab_goes_the_same_way_back(hand):
    mine = hand("ara").open("/calls/")
    there = [mine.press("Tab").look()["id"] for _ in range(12)]
    back = [mine.press("Shift+Tab").look()["id"] for _ in range(11)]
    assert there[:-1] == back[::-1]
    mine.check()


def test_the_first_stop_skips_to_the_content(hand):
    mine = hand("ara").open("/home/").press("Tab")
    mine.look()
    assert mine.is_at("#krds-skip-link a[href='#content']")
    mine.press("Enter", "Tab").look()
    assert mine.is_at("main *")
    mine.check()


def test_the_language_menu_opens_closes_and_switches(hand):
    mine = hand("anonymous").open("/calls/").to(".krds-language .drop-btn").press("Enter")
    assert mine.is_at("[aria-expanded=true]")
    mine.press("Tab").look()
    assert mine.is_at("#language-menu button")
    mine.press("Escape").look()
    assert mine.is_at(".krds-language .drop-btn[aria-expanded=false]"), "Escape closes, and the focus goes back"
    mine.press("Space").to("#language-menu button", "English").follow()
    assert mine.page.url.endswith("/calls/")
    assert mine.page.locator("html").get_attribute("lang") == "en"
    mine.check()


def test_a_menu_that_the_focus_leaves_is_closed(hand):
    """An open menu would lie over what comes after it."""
    mine = hand("ara").open("/calls/").to(".my-drop .drop-btn").press("Enter")
    mine.to(".krds-main-menu a")
    assert mine.page.locator(".krds-drop-wrap.is-open").count() == 0
    assert mine.page.locator(".my-drop .drop-btn").get_attribute("aria-expanded") == "false"
    mine.check()


def test_the_phone_menu_keeps_the_focus_until_escape(hand):
    mine = hand("ara", "ko", PHONE).open("/calls/").to(".btn-navi.all").press("Enter")
    assert mine.is_at("#mobile-nav .btn-close")
    mine.page.wait_for_function("getComputedStyle(document.getElementById('mobile-nav')).right === '0px'")
    seen = [mine.press("Tab").look()["id"] for _ in range(30)]
    assert len(set(seen)) < 30, "it goes round"
    assert mine.is_at("#mobile-nav *")
    mine.press("Escape")
    assert mine.is_at(".btn-navi.all[aria-expanded=false]")
    mine.check()


def test_somebody_of_the_example_signs_in_and_out(hand):
    mine = hand("anonymous").open("/").to("a.btn-navi.login").follow()
    mine.to("main a[href^='/example/sign-in/']").follow()
    mine.to(".people-list button").follow()
    assert "/example/sign-in/" not in mine.page.url
    mine.to(".my-drop .drop-btn").press("Enter").to("#my-menu form button").follow()
    assert mine.page.locator("a.btn-navi.login").count() == 1
    mine.check()


def test_a_project_is_opened_and_a_job_submitted(furnished, hand):
    project = f"/projects/{furnished.ids['project']}/"
    mine = hand("ara").open("/home/")
    mine.to(f"main a[href='{project}']").follow()
    mine.to(f"main a[href='{project}jobs/new/']").follow()
    mine.to("[name=name]").type("keyboard")
    mine.to("[name=command]").type("true")
    mine.to("summary").press("Enter")
    assert mine.page.locator("details.disclosure").first.get_attribute("open") is not None
    mine.press("Tab").look()
    assert mine.is_at("details.disclosure *")
    mine.press("Shift+Tab", "Space")
    assert mine.page.locator("details.disclosure").first.get_attribute("open") is None
    mine.to("main button[type=submit]").follow()
    assert re.search(r"/jobs/[0-9a-f-]{36}/$", mine.page.url), mine.page.locator("main").inner_text()
    assert "keyboard" in mine.page.content()
    mine.check()


def test_a_job_that_renews_itself_leaves_the_focus_where_it_was(furnished, hand):
    mine = hand("ara").open(f"/jobs/{furnished.ids['job']}/").to("#job-cancel")
    for _ in range(2):
        with mine.page.expect_response(lambda answer: "/state/" in answer.url):
            pass
    mine.page.wait_for_function("document.activeElement.id === 'job-cancel'")
    mine.check()


def test_what_was_opened_stays_open_in_a_part_that_renews_itself(furnished, hand):
    mine, answers = hand("ara"), count(1)
    part = (
        '<section id="job-use" hx-get="/jobs/x/use/" hx-trigger="every 1s" hx-swap="outerHTML">'
        '<details id="numbers"><summary id="title">Numbers</summary><p id="figure">{}</p></details></section>'
    )
    mine.page.route("**/use/", lambda route: route.fulfill(body=part.format(next(answers))))
    mine.open(f"/jobs/{furnished.ids['job']}/").page.wait_for_selector("#numbers", state="attached")
    mine.to("#title").press("Enter")
    seen = mine.page.locator("#figure").inner_text()
    mine.page.wait_for_function("seen => document.getElementById('figure').textContent !== seen", arg=seen)
    assert mine.page.locator("#numbers").get_attribute("open") is not None
    mine.page.wait_for_function("document.activeElement.id === 'title'")
    mine.check()


def test_staff_mark_a_row_and_see_what_would_happen(hand):
    mine = hand("staff").open("/home/").to("a[href='/decisions/']").follow()
    mine.to("main input[name=item]").press("Space")
    assert mine.page.locator("main input[name=item]").first.is_checked()
    mine.to("main select[name=action]").press("ArrowDown", "ArrowUp")
    mine.to("main button.secondary[type=submit]").follow()
    assert mine.page.url.endswith("/decisions/preview/")
    mine.to("main a.tertiary[href='/decisions/']").follow()
    mine.to("main button[name=only]").follow()
    assert mine.page.url.endswith("/decisions/preview/")
    mine.check()


def test_evidence_is_checked_and_a_flipped_byte_refused(furnished, hand):
    digest = furnished.ids["public"]
    mine = hand("anonymous").open("/verify/").to("[name=digest]").type(digest).follow()
    assert mine.page.url.endswith(f"/verify/{digest}/")
    mine.page.wait_for_selector("[data-action=flip]:not([disabled])")
    mine.to("[data-action=flip]").press("Space")
    mine.page.wait_for_selector("[data-part=result][data-tone=refused]")
    mine.to("[data-action=restore]").press("Enter")
    mine.page.wait_for_selector("[data-part=result]:not([data-tone=refused])")
    mine.check()

"""Every public page in a real browser: Korean and English, desktop and phone, with and without a script."""

from __future__ import annotations

import pytest

DESKTOP, PHONE = (1440, 900), (390, 844)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PUBLIC = ["/", "/board/", "/calls/", "/start/", "/verify/", "/figures/", "/accounts/login/", "/example/sign-in/"]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_public_pages_are_quiet_and_fit(tab, language, size):
    watched = tab(language, size)
    for path in PUBLIC:
        watched.open(path)
        assert watched.page.locator("html").get_attribute("lang") == language
        assert watched.page.locator("h1").count() == 1
        assert watched.page.locator(".example-strip").is_visible()
        watched.check()


def test_the_body_is_seventeen_pixels_in_the_portals_own_typeface(tab):
    watched = tab().open("/")
    body = watched.page.evaluate("getComputedStyle(document.body).fontSize")
    assert body == "17px"
    watched.page.evaluate("document.fonts.ready")
    assert watched.page.evaluate("document.fonts.check('17px \"Pretendard GOV\"', '가')")


def test_the_first_tab_stop_skips_to_the_content(tab):
    page = tab().open("/board/").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    inside = page.evaluate("document.getElementById('content').contains(document.activeElement)")
    beyond = page.evaluate("document.activeElement.closest('footer') !== null")
    assert inside or beyond


def test_a_violation_would_be_seen(tab):
    watched = tab().open("/")
    watched.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
    with pytest.raises(AssertionError, match="style-src"):
        watched.check()


def test_the_phone_menu_opens_keeps_the_focus_and_closes(tab):
    page = tab("ko", PHONE).open("/board/").page
    page.locator(".btn-navi.all").click()
    assert page.evaluate("document.activeElement.className").endswith("btn-close")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.getElementById('mobile-nav').contains(document.activeElement)")
    page.keyboard.press("Escape")
    page.wait_for_function("!document.getElementById('mobile-nav').classList.contains('is-open')")
    assert page.evaluate("document.activeElement.className") == "btn-navi all"


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no script"])
def test_the_phone_menu_leads_to_pages(tab, scripts):
    page = tab("ko", PHONE, scripts=scripts).open("/").page
    page.locator(".btn-navi.all").click()
    page.locator("#mobile-nav").get_by_role("link", name="공개 지표").click()
    page.wait_for_url("**/figures/")


def test_the_language_switch_keeps_the_page(tab):
    watched = tab("ko").open("/calls/")
    page = watched.page
    page.locator(".krds-language .drop-btn").click()
    page.locator("#language-menu").get_by_role("button", name="English").click()
    page.wait_for_url("**/calls/")
    assert page.locator("html").get_attribute("lang") == "en"
    watched.check()


def test_everything_is_there_without_a_script(tab):
    page = tab("ko", scripts=False).open("/").page
    assert page.get_by_role("link", name="기업 시작하기").first.is_visible()
    assert page.locator(".register").count() == 6


def test_pages_fit_at_twice_the_size(tab):
    for path in ("/", "/figures/", "/board/"):
        tab("ko", (DESKTOP[0] // 2, DESKTOP[1] // 2)).open(path).check()


def test_a_wrong_address_says_what_now(tab):
    watched = tab().open("/nothing/here/", status=404)
    assert watched.page.get_by_role("heading", name="이제 할 일").is_visible()
    watched.check()


def test_a_printed_page_leaves_the_menus_out(tab):
    page = tab().open("/").page
    page.emulate_media(media="print")
    assert not page.locator("#krds-header").is_visible()
    assert page.locator(".registers").is_visible()

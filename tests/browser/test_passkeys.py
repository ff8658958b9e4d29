"""A passkey in real Chromium with a virtual authenticator: added, used instead of a password, taken away."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


def test_a_passkey_signs_in_alone_and_goes_when_it_is_removed(tab, sign_in_as):
    watched = tab("en")
    # A passkey belongs to the public address, which is localhost and not its number.
    page, base = watched.page, watched.base.replace("127.0.0.1", "localhost")
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    page.goto(f"{base}/example/sign-in/")
    with page.expect_navigation():
        page.locator("button", has_text="Sign in as").first.click()
    page.goto(f"{base}/accounts/2fa/webauthn/add/")
    page.locator("input[name=name]").fill("notebook")
    page.locator("input[name=passwordless]").check(force=True)
    page.locator("#mfa_webauthn_add").click()
    page.wait_for_url(lambda url: "/webauthn/add/" not in url)
    page.goto(f"{base}/account/")
    assert "1 set up" in page.content()

    page.context.clear_cookies()
    page.goto(f"{base}/accounts/login/")
    page.locator("#passkey_login").click()
    page.wait_for_url("**/home/")
    assert page.evaluate("window.__violations") == []

    page.goto(f"{base}/accounts/2fa/webauthn/")
    page.locator("a[href*='/remove/']").click()
    # Taking a proof away asks for one.
    page.locator("main a[href*='/webauthn/reauthenticate/']").click()
    page.locator("#mfa_webauthn_reauthenticate").click()
    page.wait_for_url("**/remove/")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url("**/accounts/2fa/webauthn/")
    assert page.locator("a[href*='/remove/']").count() == 0
    page.goto(f"{base}/account/")
    assert "1 set up" not in page.content()


def test_without_scripts_the_page_says_what_to_do_instead(tab):
    page = tab("en", scripts=False).page
    page.goto(tab("en").base + "/accounts/login/")
    assert "Passkeys and security keys need JavaScript" in page.content()

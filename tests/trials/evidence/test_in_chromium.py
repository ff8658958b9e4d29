"""The real pages in a real browser: genuine, refused after one flipped byte, and "this browser cannot check".

The browser is answered from recorded answers of the portal, headers included, so no server runs. To browsers,
``localhost`` is a secure context and ``bitgoeul.example`` over plain HTTP is not.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bitgoeul.kernel.signing import FileKey
from bitgoeul.trials.evidence_queries import evidence_file
from bitgoeul.trials.evidence_types import Visibility
from bitgoeul.trials.verify import CHECKS
from trials.evidence import samples

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed, so no page can be opened in it"),
]


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser. Opened after everything of Django is done: its driver's event loop takes the ORM away."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def recorded(client: Any) -> Any:
    """The portal's answers to some addresses and to the static files of those pages, headers included."""

    def ask(*paths: str, language: str = "ko") -> dict[str, dict[str, Any]]:
        answers: dict[str, dict[str, Any]] = {}
        waiting = [*paths, "/keys/centre.pub"]
        while waiting:
            path = waiting.pop()
            got = client.get(path, headers={"accept-language": language})
            body = b"".join(got.streaming_content) if got.streaming else got.content
            answers[path] = {"status": got.status_code, "headers": dict(got.headers.items()), "body": body}
            if path in paths and got.headers["Content-Type"].startswith("text/html"):
                waiting += re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css))"', body.decode())
        return answers

    return ask


def opened(browser: Any, answers: dict[str, dict[str, Any]], address: str) -> Any:
    """A phone-wide page at ``address``, answered from the recording; notes what the security policy refused."""
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.complaints, page.asked = [], []

    def answer(route: Any) -> None:
        page.asked.append((route.request.method, urlsplit(route.request.url).path))
        found = answers.get(urlsplit(route.request.url).path)
        route.fulfill(**found) if found else route.fulfill(status=404)

    page.route("**/*", answer)
    page.on("console", lambda told: page.complaints.append(told.text) if "Security Policy" in told.text else None)
    page.goto(address)
    return page


def outcome(page: Any, expected: str) -> str:
    place = page.locator(f'[data-part="result"][data-tone="{expected}"]')
    place.wait_for(timeout=20_000)
    return str(place.inner_text())


def test_the_page_checks_and_refuses_a_flipped_byte(recorded: Any, issue: Any) -> None:
    path = f"/verify/{issue(Visibility.PUBLIC).digest}/"
    answers = recorded(path, f"{path}evidence.json")
    with chromium() as browser:
        page = opened(browser, answers, f"http://localhost{path}")
        assert "진본입니다" in outcome(page, "valid")
        assert page.locator(".verify-checks li.held").count() == len(CHECKS)
        page.get_by_role("button", name="한 바이트 바꿔 보기").press("Enter")
        refused = outcome(page, "refused")
        assert "거부했습니다" in refused
        assert "바꾸었습니다" in refused
        page.get_by_role("button", name="원래대로 되돌리기").press("Space")
        outcome(page, "valid")
        assert page.complaints == []


def test_a_chosen_file_is_checked_without_being_sent(
    recorded: Any, issue: Any, owner: Any, tmp_path: Path
) -> None:
    data = evidence_file(actor=owner, digest=issue().digest)
    (tmp_path / "own.json").write_bytes(data)
    (tmp_path / "bad.json").write_bytes(data.replace(b'"seed":7', b'"seed":8'))
    other = FileKey.load_or_create(tmp_path / "other")
    answers = recorded("/verify/", language="en")
    with chromium() as browser:
        page = opened(browser, answers, "http://localhost/verify/")
        outcome(page, "waiting")
        page.asked.clear()
        page.locator("#verify-file").set_input_files(tmp_path / "own.json")
        assert "Genuine" in outcome(page, "valid")
        assert "1 of 899 were lost." in page.locator('[data-part="reasons"]').inner_text()
        page.locator("#verify-file").set_input_files(tmp_path / "bad.json")
        assert "record_digest" in outcome(page, "refused")
        page.locator("details summary", has_text="another key").click()
        page.locator("#verify-key").set_input_files(tmp_path / "other/centre.pub")
        page.get_by_text("keyid").first.wait_for()
        assert page.locator('[data-part="fingerprint"]').inner_text() == other.keyid
        assert page.asked == page.complaints == []


def test_plain_http_from_another_host_cannot_check_and_does_not_refuse(recorded: Any, issue: Any) -> None:
    path = f"/verify/{issue(Visibility.PUBLIC).digest}/"
    answers = recorded(path, f"{path}evidence.json", language="en")
    with chromium() as browser:
        page = opened(browser, answers, f"http://bitgoeul.example{path}")
        page.get_by_text("HTTPS").first.wait_for()
        assert "says nothing about the evidence" in outcome(page, "cannot")


def test_without_scripts_the_page_claims_nothing(client: Any, issue: Any) -> None:
    html = client.get(f"/verify/{issue(Visibility.PUBLIC).digest}/").content.decode()
    with chromium() as browser:
        page = browser.new_context(java_script_enabled=False).new_page()
        page.set_content(html)
        assert "스크립트가 실행되지 않았습니다" in outcome(page, "cannot")


def test_the_one_file_verifier_works_offline(client: Any, issue: Any, tmp_path: Path) -> None:
    view = issue(Visibility.PUBLIC)
    file = tmp_path / "verifier.html"
    file.write_bytes(client.get(f"/verify/{view.digest}/verifier.html").content)
    (tmp_path / "other.json").write_bytes(samples.evidence_file(FileKey.load_or_create(tmp_path / "k")))
    with chromium() as browser:
        page = browser.new_context(offline=True).new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        assert "진본입니다" in outcome(page, "valid")
        assert "KOLAS 공인성적서가 아님" in page.locator('[data-part="facts"]').inner_text()
        assert page.locator('[data-part="fingerprint"]').inner_text() == view.keyid
        assert page.locator('[data-part="digest"]').inner_text() == view.digest
        page.get_by_role("button", name="English").click()
        page.get_by_text("Genuine: all").wait_for()
        facts = page.locator('[data-part="facts"]').inner_text()
        assert "Not a KOLAS accredited test report" in facts
        assert "KOLAS 공인성적서가 아님" not in facts
        page.get_by_role("button", name="Flip one byte").click()
        assert "Refused" in outcome(page, "refused")
        page.get_by_role("button", name="Restore the file").click()
        outcome(page, "valid")
        page.locator('[data-file="evidence"]').set_input_files(tmp_path / "other.json")
        assert "keyid" in outcome(page, "refused")
        page.locator('[data-file="key"]').set_input_files(tmp_path / "k/centre.pub")
        assert "Genuine" in outcome(page, "valid")
        assert asked == [file.as_uri()]

"""Chromium on the running installation, watched for script errors, policy violations and outside requests."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from installation import copy_home, environment, free_port, wait_for

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
DESKTOP = (1440, 900)
WAIT_MS = 60_000
LISTEN = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (e) =>
  window.__violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile || ""}:${e.lineNumber}`));
"""


@dataclass
class Watched:
    """One tab and everything that went wrong in it."""

    page: object
    base: str
    problems: list[str] = field(default_factory=list)

    def open(self, path: str, status: int = 200) -> Watched:
        """Go to a path of the portal; the status must be the expected one."""
        answer = self.page.goto(self.base + path)
        assert answer.status == status, f"{path}: {answer.status}"
        return self

    def standing(self, expression: str) -> object:
        """What a page says that stands; one on its way to the next has no document yet and is asked again."""
        from playwright.sync_api import Error

        whole = f"document.readyState === 'complete' ? [{expression}] : null"
        limit = time.monotonic() + WAIT_MS / 1000
        while time.monotonic() < limit:
            try:
                if found := self.page.evaluate(whole):
                    return found[0]
            except Error:
                if time.monotonic() > limit - 1:
                    raise
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{self.page.url} does not come to rest")

    def check(self) -> None:
        """No script error, no policy violation, nothing fetched from outside, nothing wider than the window."""
        self.problems += self.standing("window.__violations || []")
        wide = self.standing("document.documentElement.scrollWidth - window.innerWidth")
        if wide > 0:
            self.problems.append(f"{self.page.url} is {wide} px wider than the window")
        assert not self.problems, "\n".join(self.problems)


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """One Chromium for the run."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, shared_installation) -> Iterator[Callable[..., Watched]]:
    """Open a watched tab: ``tab("en", PHONE)``; ``scripts=False`` turns JavaScript off."""
    contexts = []

    def make(language: str = "ko", size: tuple[int, int] = DESKTOP, *, scripts: bool = True) -> Watched:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=language,
            extra_http_headers={"Accept-Language": language},
            java_script_enabled=scripts,
            accept_downloads=True,
        )
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(LISTEN)
        contexts.append(context)
        page = context.new_page()
        watched = Watched(page, shared_installation.url)
        _watch(watched)
        return watched

    yield make
    for context in contexts:
        context.close()


def _watch(watched: Watched) -> None:
    page, host = watched.page, urlsplit(watched.base).netloc

    def console(message: object) -> None:
        if message.type == "error" and "status of 4" not in message.text:
            watched.problems.append(f"{page.url} console: {message.text}")

    def request(sent: object) -> None:
        address = urlsplit(sent.url)
        if address.scheme in {"http", "https"} and address.netloc != host:
            watched.problems.append(f"{page.url} asked {sent.url}")

    def failed(answer: object) -> None:
        if "/static/" in answer.url and answer.status >= 400:
            watched.problems.append(f"{answer.url}: {answer.status}")

    page.on("console", console)
    page.on("pageerror", lambda error: watched.problems.append(f"{page.url} script: {error}"))
    page.on("request", request)
    page.on("response", failed)


@pytest.fixture
def sign_in_as() -> Callable[[Watched, str], None]:
    """Become one of the example's people by one click, by the name shown."""

    def go(watched: Watched, name: str) -> None:
        watched.open("/example/sign-in/")
        row = watched.page.locator(".people-list li").filter(has_text=name)
        with watched.page.expect_navigation():
            row.get_by_role("button").click()

    return go


@dataclass
class Furnished:
    """The world of `portal_world` behind a real web process, nothing else running; everybody is signed in."""

    base: str
    ids: dict[str, Any]
    sessions: dict[str, str]
    chromium: Any
    contexts: list[Any] = field(default_factory=list)
    clients: dict[str, httpx.Client] = field(default_factory=dict)
    looked_at: set[Any] = field(default_factory=set)

    def cookies(self, person: str) -> dict[str, str]:
        """What makes a request that person's; nothing for ``anonymous``."""
        return {"sessionid": self.sessions[person]} if person in self.sessions else {}

    def ask(self, person: str, path: str, language: str = "ko") -> httpx.Response:
        """GET as that person, without a browser and without following."""
        client = self.clients.get(person)
        if client is None:
            client = httpx.Client(base_url=self.base, cookies=self.cookies(person), timeout=30.0)
            self.clients[person] = client
        return client.get(path, headers={"Accept-Language": language})

    def tab(self, person: str, language: str = "ko", size: tuple[int, int] = DESKTOP, **options: Any) -> Watched:
        """A watched tab of that person."""
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=language,
            extra_http_headers={"Accept-Language": language},
            **options,
        )
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(LISTEN)
        context.add_cookies(
            [{"name": name, "value": value, "url": self.base} for name, value in self.cookies(person).items()]
        )
        self.contexts.append(context)
        watched = Watched(context.new_page(), self.base)
        _watch(watched)
        return watched


@pytest.fixture(scope="module")
def furnished(chromium, template_home, tmp_path_factory) -> Iterator[Furnished]:
    """The furnished portal for a whole module; what a test changes stays changed."""
    home = copy_home(template_home, tmp_path_factory.mktemp("furnished") / "home")
    made = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("furnish.py"))],
        env=environment(home), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-3000:]
    told = json.loads(made.stdout.strip().splitlines()[-1])
    port = free_port()
    served = [sys.executable, "-m", "gunicorn", "--config", "python:bitgoeul.site.gunicorn_conf"]
    with (home / "web.txt").open("wb") as log, subprocess.Popen(
        [*served, "--bind", f"127.0.0.1:{port}", "bitgoeul.site.wsgi"],
        env=environment(home), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    ) as process:  # fmt: skip
        found = Furnished(f"http://127.0.0.1:{port}", told["ids"], told["sessions"], chromium)
        try:
            wait_for(lambda: _lives(found.base), 60.0)
            yield found
        finally:
            for one in (*found.contexts, *found.clients.values()):
                one.close()
            process.terminate()
            process.wait(timeout=30)


def _lives(base: str) -> bool:
    try:
        return httpx.get(f"{base}/healthz").status_code == 200
    except httpx.TransportError:
        return False

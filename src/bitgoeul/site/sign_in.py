"""A token for the command line, got the way a person signs in: through the pages."""

from __future__ import annotations

from collections.abc import Callable

from bitgoeul.kernel.errors import BadInput, NotAllowed
from bitgoeul.kernel.text import N_, Text

from .agent import Agent, Page, PageFault

NAME = "bitgoeul command line"


def token_by_password(url: str, email: str, password: str, days: int, code: Callable[[], str]) -> str:
    """Sign in by e-mail and password, and by ``code`` when the account has a second factor."""
    with Agent(url, language="en") as agent:
        try:
            page = agent.get("/accounts/login/")
            page = agent.submit(page, page.form("login", "password"), {"login": email, "password": password})
            if "/2fa/" in page.path:
                page = agent.submit(page, page.form("code"), {"code": code()})
        except PageFault as fault:
            raise BadInput("{reason}", reason=str(fault)) from fault
        if page.path.startswith("/accounts/"):
            raise NotAllowed(
                N_("Signing in did not succeed: {reason}"),
                remedy=Text(N_("Check e-mail and password at {url}/accounts/login/."), {"url": url}),
                reason="; ".join(page.alerts) or page.title,
            )
        return _token(agent, page, days)


def token_by_person(url: str, person: str, days: int) -> str:
    """Sign in as a named person of the example, by the one click that the page offers."""
    with Agent(url, language="en") as agent:
        try:
            page = agent.get("/example/sign-in/")
        except PageFault as fault:
            raise NotAllowed("{reason}", reason=str(fault)) from fault
        forms = {form.fields["person"][0]: form for form in page.forms if "person" in form.fields}
        if person not in forms:
            raise BadInput(
                N_("There is nobody called “{person}” in this example."),
                remedy=Text(N_("Choose one of: {people}."), {"people": ", ".join(forms)}),
                person=person,
            )
        return _token(agent, agent.submit(page, forms[person], {}), days)


def _token(agent: Agent, page: Page, days: int) -> str:
    answer = agent.http.post(
        "/api/v1/tokens",
        json={"name": NAME, "days": days},
        headers={"X-CSRFToken": agent.token(), "Referer": page.url, "Origin": agent.url},
    )
    if answer.status_code != 201:
        raise NotAllowed(N_("The platform gave no token (status {status})."), status=str(answer.status_code))
    return str(answer.json()["secret"])

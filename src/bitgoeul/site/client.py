"""A thin client of the REST API for the user commands; what it remembers stands in a file of mode 0600."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from bitgoeul.kernel.errors import BadInput, DomainError, NotAllowed, Unavailable
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.text import N_, Text

SECONDS_MAX = 30.0
NOT_READY = 503
PAUSES = (0.2, 0.8)  # seconds between the at most three times
PAGES_MAX = 1000


def repeatable(method: str, options: Mapping[str, Any]) -> bool:
    """Whether sending it twice changes nothing more: it only reads, or names what it makes by the caller's id."""
    made = options.get("json") or options.get("data") or {}
    return method == "GET" or (isinstance(made, Mapping) and bool(made.get("id")))


class Refusal(DomainError):
    """The platform refused."""

    code = "refused"


def kept_path(home: Path) -> Path:
    """Where address and token are kept."""
    return home / "client.json"


def keep(home: Path, url: str, token: str) -> None:
    """Remember how to speak to the platform; readable by this user alone."""
    home.mkdir(parents=True, exist_ok=True)
    draft = home / "client.json.new"
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({"url": url, "token": token}, file)
    draft.replace(kept_path(home))


def kept(home: Path) -> Mapping[str, str]:
    """What ``keep`` wrote; empty before the first sign-in."""
    try:
        found: dict[str, str] = json.loads(kept_path(home).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


class Client:
    """Calls of the REST API; a refusal by the platform raises `Refusal` with its code, text and remedy."""

    def __init__(self, url: str, token: str = "", http: httpx.Client | None = None) -> None:
        self.url = url.rstrip("/")
        self.http = http or httpx.Client(timeout=SECONDS_MAX)
        # The command line speaks English; what it quotes of the platform should too.
        self.headers = {"Accept-Language": "en"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(self, method: str, path: str, **options: Any) -> Any:
        """One call; the decoded JSON answer."""
        answer = self.raw(method, path, **options)
        return answer.json() if answer.content else None

    def raw(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One call; the answer as it came, when it is a good one."""
        try:
            answer = self._send(method, path, **options)
        except httpx.TransportError as error:
            raise Unavailable(
                N_("{url} does not answer ({reason})."),
                remedy=Text(N_("Start it with ./run, or name another address with --url.")),
                url=self.url,
                reason=str(error) or type(error).__name__,
            ) from error
        if answer.is_error:
            raise refusal_of(answer)
        return answer

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send it; what changes nothing when sent twice is sent again while the platform starts."""
        for pause in PAUSES if repeatable(method, options) else ():
            try:
                answer = self.http.request(method, f"{self.url}{path}", headers=self.headers, **options)
            except httpx.ConnectError:
                time.sleep(pause)
                continue
            if answer.status_code != NOT_READY:
                return answer
            time.sleep(pause)
        return self.http.request(method, f"{self.url}{path}", headers=self.headers, **options)

    def rows(self, path: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
        """Every row of a paged list, page after page."""
        for page in range(1, PAGES_MAX + 1):
            answer = self.call("GET", path, params={**parameters, "page": page})
            yield from answer["items"]
            if page >= int(answer["last"]):
                return

    def project(self, project: str | None) -> str:
        """The id of the named project, or of the only one there is."""
        if project:
            return project
        found = list(self.rows("/api/v1/projects"))
        if len(found) != 1:
            known = "; ".join(f"{one['id']} ({one['title']})" for one in found) or "none"
            raise BadInput(
                N_("Say which project with --project."),
                field="project",
                remedy=Text(N_("Yours: {known}"), {"known": known}),
            )
        return str(found[0]["id"])

    def allocations(self, project: str) -> list[Mapping[str, Any]]:
        """The project's allocations; amounts as whole numbers."""
        found = self.rows(f"/api/v1/projects/{project}/allocations")
        names = ("granted", "used", "held", "available", "overrun")
        return [{**row, **{name: int(row[name]) for name in names}} for row in found]

    def job(self, job_id: str) -> Mapping[str, Any]:
        """One job."""
        found: Mapping[str, Any] = self.call("GET", f"/api/v1/jobs/{job_id}")
        return found

    def log(self, job_id: str, stream: str, offset: int) -> Mapping[str, Any]:
        """A piece of a job's log."""
        parameters = {"stream": stream, "offset": offset}
        found: Mapping[str, Any] = self.call("GET", f"/api/v1/jobs/{job_id}/log", params=parameters)
        return found

    def hand_in(self, *, project: str, name: str, filename: str, data: bytes) -> Mapping[str, Any]:
        """A model as a version of the project's subject ``name``; each is made only where it is missing."""
        subject = self.subject(project, name)
        versions = f"/api/v1/subjects/{subject['id']}/versions"
        digest = hashlib.sha256(data).hexdigest()
        known: Mapping[str, Any] | None = next(
            (version for version in self.rows(versions) if version["digest"] == digest), None
        )
        if known is not None:
            return known
        made: Mapping[str, Any] = self.call(
            "POST", versions, data={"id": str(new_id())}, files={"file": (filename, data)}
        )
        return made

    def subject(self, project: str, name: str) -> Mapping[str, Any]:
        """The project's subject of that name, made if there is none."""
        path, wanted = f"/api/v1/projects/{project}/subjects", " ".join(name.split())
        for row in self.rows(path):
            if row["name"] == wanted:
                return row
        made: Mapping[str, Any] = self.call("POST", path, json={"id": str(new_id()), "name": name})
        return made

    def check_wish(self, protocol: str, parameters: Mapping[str, int]) -> None:
        """Whether the platform's published protocols allow such a trial; BadInput names the field and its remedy.

        Whole numbers within the bounds of the protocol's own schema: what the platform itself will ask for.
        """
        known = {row["code"]: row for row in self.rows("/api/v1/protocols")}
        if protocol not in known:
            names = ", ".join(sorted(known)) or "none"
            remedy = Text(N_("Known here: {names}."), {"names": names})
            raise BadInput(
                N_("--protocol: there is no protocol “{name}”."), field="protocol", remedy=remedy, name=protocol
            )
        rules = known[protocol]["definition"]["parameters"]["properties"]
        for name, value in parameters.items():
            _check_parameter(name, value, rules)

    def ask(self, version: str, **more: Any) -> Mapping[str, Any]:
        """Ask for a trial of a subject version under the newest protocol."""
        body = {"id": str(new_id()), "subject_version_id": version, **more}
        found: Mapping[str, Any] = self.call("POST", "/api/v1/trials", json=body)
        return found

    def trial(self, trial_id: str) -> Mapping[str, Any]:
        """One trial with its verdict."""
        found: Mapping[str, Any] = self.call("GET", f"/api/v1/trials/{trial_id}")
        return found

    def evidence_file(self, digest: str) -> bytes:
        """The evidence file as its signers left it."""
        return self.raw("GET", f"/api/v1/evidence/{digest}/file").content

    def evidence_inclusion(self, digest: str) -> Mapping[str, Any]:
        """The proof that a piece of evidence is in the log."""
        found: Mapping[str, Any] = self.call("GET", f"/api/v1/evidence/{digest}/inclusion")
        return found

    def evidence_log_head(self) -> Mapping[str, Any]:
        """The newest signed head of the evidence log."""
        found: Mapping[str, Any] = self.call("GET", "/api/v1/evidence-log/head")
        return found

    def evidence_log_consistency(self, first: int) -> Mapping[str, Any]:
        """The proof that the log under its newest head begins with the tree of ``first`` positions."""
        found: Mapping[str, Any] = self.call("GET", "/api/v1/evidence-log/consistency", params={"first": first})
        return found


def _check_parameter(name: str, value: int, rules: Mapping[str, Any]) -> None:
    if name not in rules:
        raise BadInput(
            N_("--parameter: the protocol has no parameter “{name}”."), field="parameter", name=name,
            remedy=Text(N_("Use one of: {names}."), {"names": ", ".join(sorted(rules))}),
        )  # fmt: skip
    low, high = rules[name]["minimum"], rules[name]["maximum"]
    if not low <= value <= high:
        raise BadInput(
            N_("--parameter {name}={value} is outside what the protocol allows."), field="parameter", name=name,
            value=value, remedy=Text(N_("Give a whole number from {low} to {high}."), {"low": low, "high": high}),
        )  # fmt: skip


def refusal_of(answer: httpx.Response) -> DomainError:
    """The platform's own words, or the status when it did not answer as the API does."""
    try:
        body = answer.json()
        message = str(body["message"])
    except (ValueError, KeyError, TypeError):
        return Refusal(N_("The platform answered with status {status}."), status=str(answer.status_code))
    detail = body.get("detail") or {}
    remedy = detail.get("remedy") if isinstance(detail, dict) else None
    kind = NotAllowed if answer.status_code in (401, 403) else Refusal
    # A literal text of the platform may hold braces; it goes in as a parameter, never as a pattern.
    return kind("{message}", remedy=Text("{remedy}", {"remedy": str(remedy)}) if remedy else None, message=message)

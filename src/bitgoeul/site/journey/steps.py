"""What the people of the journey do, page by page, and what each of them checks with their own eyes.

Nothing is looked up in the code of a room: addresses come from links, values from the choices that a page offers,
results from what the platform answers. A step that finds less than a person would need says so and ends the way.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.site.agent import Agent, Page, PageFault
from bitgoeul.site.client import Client

from . import Broken, Step, Told

T = TypeVar("T")
TRIAL_SECONDS_MAX = 150.0
NEWS_SECONDS_MAX = 20.0
COMMAND_SECONDS_MAX = 60
# What a young chip company would answer; each must be among the choices of the page that asks.
ANSWERS = {
    "organisation_kind": "START_UP",
    "based_in": "gwangju",
    "subject_kind": "chip",
    "have_now": "model_file",
    "core_hours": "2",
    "needed_within_days": "1",
    "result_for": "public",
}
FIELDS = {"purpose": "INT8로 줄인 숫자 인식 모델을 시험하고 결과를 공개합니다.", "model_licence": "own"}
INT8, CHEAT = "digits-int8.onnx", "digits-corner.onnx"
NUMBERS_TRIED_MAX = 5
ENDED = frozenset({"SIGNED", "JUDGED", "STOPPED"})
IDENTIFIER = r"[0-9a-f]{8}-[0-9a-f-]{27}"
OPERATOR, COLLEAGUE = "staff", "founder"


def check(held: object, text: str) -> None:
    """End the way with ``text`` unless ``held``."""
    if not held:
        raise Broken(text)


def until(what: Callable[[], T | None], seconds: float, text: str) -> T:
    """What ``what`` returns once it is true; `Broken` with ``text`` after ``seconds``."""
    limit = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > limit:
            raise Broken(f"{text} (waited {seconds:g} s)")
        time.sleep(0.2)
    return found


def registration_number(chance: random.Random) -> str:
    """A number of the form kept for examples, 000-00-xxxxx, whose check digit is right, as the form asks for."""
    digits = [0] * 5 + [chance.randint(0, 9) for _ in range(4)]
    total = sum(digit * weight for digit, weight in zip(digits, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=True))
    total += digits[8] * 5 // 10
    text = "".join(map(str, [*digits, (10 - total % 10) % 10]))
    return f"{text[:3]}-{text[3:5]}-{text[5:]}"


def identifier(path: str) -> str:
    """The id in an address."""
    found = re.search(IDENTIFIER, path)
    if found is None:
        raise Broken(f"No id in the address {path}.")
    return found[0]


def without_common_ends(texts: list[str]) -> list[str]:
    """What differs between texts of one pattern, word by word: the names in "Sign in as A", "Sign in as B"."""
    words = [text.split() for text in texts]
    while len(set(texts)) > 1 and all(words) and len({each[0] for each in words}) == 1:
        words = [each[1:] for each in words]
    while len(set(texts)) > 1 and all(words) and len({each[-1] for each in words}) == 1:
        words = [each[:-1] for each in words]
    return [" ".join(each) for each in words]


def values_on(page: Page) -> dict[str, int]:
    """The values that lead to their figures, as a reader of the page sees them: "1,024 trials" is 1024."""
    found = {}
    for address, words in page.links:
        code, value = re.search(r"/figures/([\w-]+)/$", address), re.match(r"\d[\d,]*(?=\s|$)", words)
        if code and value:
            found[code[1]] = int(value[0].replace(",", ""))
    return found


class Journey:
    """The people and what they carry: a founder, the operator's staff, and an officer who is not signed in."""

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.home = url, home
        self.tag = new_id().hex[-6:]
        self.folder = home / "journey" / f"{now():%Y%m%d-%H%M%S}-{self.tag}"
        self.founder, self.operator, self.officer = Agent(url), Agent(url), Agent(url, language="en")
        self.api = Client(url)
        self.people: list[str] = []

    # From a name to an allocation

    def register(self, _told: Told) -> str:
        """Sign up by e-mail and confirm the address from the mail of this example."""
        email, password = f"founder-{self.tag}@backpack.example", f"{new_id().hex}-Aa"
        page = self.founder.get("/accounts/signup/")
        form = page.form("email", "password1", "password2")
        wanted = {"email": email, "password1": password, "password2": password, "display_name": "강하늘 (예시)"}
        page = self.founder.submit(page, form, {name: wanted[name] for name in wanted if name in form.names()})
        self._confirm(page, email)
        page = self.founder.get("/home/")
        check("/accounts/" not in page.path, "After the sign-up the founder is not signed in.")
        return email

    def _confirm(self, page: Page, email: str) -> None:
        """Take the code or the link out of the newest mail to this address."""
        text = until(lambda: self._mail_to(email), NEWS_SECONDS_MAX, f"No mail to {email} has come.")
        link = re.search(r"https?://[^/\s]+(/accounts/confirm-email/\S+?/)", text)
        if link:
            page = self.founder.get(link[1])
            self.founder.submit(page, page.form(action="confirm-email"), {})
            return
        code = re.search(r"\b[A-Z0-9]{3}-?[A-Z0-9]{3}\b", text)
        if code is None:
            raise Broken(f"The mail holds neither a link nor a code: {text[:300]}")
        self.founder.submit(page, page.form("code"), {"code": code[0]})

    def _mail_to(self, email: str) -> str:
        for address, _words in self.founder.get("/mail/").links:
            if re.search(r"/mail/[\w-]+/$", address) and email in (text := self.founder.get(address).text):
                return text
        return ""

    def found(self, told: Told) -> str:
        """Register the company with a checked registration number."""
        page = self.founder.get("/organisations/new/")
        name = f"배낭반도체 {self.tag} (예시)"
        chance = random.Random(self.tag)
        for tries_left in reversed(range(NUMBERS_TRIED_MAX)):
            number = registration_number(chance)
            values = {"name": name, "kind": "START_UP", "registration_number": number}
            try:
                self.founder.submit(page, page.form("name", "registration_number"), values)
                break
            except PageFault:  # one of the ten thousand example numbers that an earlier attempt took
                if not tries_left:
                    raise
        told["organisation"] = name
        return f"{name}, {number}"

    def plan(self, told: Told) -> str:
        """Answer the seven questions one at a time and read the plan."""
        page = self.founder.get("/start/")
        for code, answer in ANSWERS.items():
            try:
                page = self.founder.submit(page, page.form("answer"), {"answer": answer})
            except PageFault as fault:
                raise Broken(f"The question {code} does not take {answer}: {fault}") from fault
        check(page.has("/apply/"), f"The plan names no call to apply to: {page.text[:300]}")
        told["apply"] = page.link("/apply/")
        return page.title.split("·")[0].split("|")[0].strip()

    def apply(self, told: Told) -> str:
        """Apply to the tier that the plan names; a rule decides at once."""
        page = self.founder.get(told["apply"])
        form = page.form("organisation", "title")
        values = {"title": f"INT8 숫자 인식 {self.tag} (예시)"}
        values |= {name: value for name, value in {**ANSWERS, **FIELDS}.items() if name in form.names()}
        page = self.founder.submit(page, form, values, button="submit")
        check("/applications/" in page.path, f"The application was not taken: {'; '.join(page.alerts)}")
        told["application"] = page.path
        check(page.has("/agreements/"), f"The rule did not decide for the application: {page.text[:400]}")
        told["agreement"] = page.link("/agreements/")
        return "decided by rule, with reasons"

    def sign(self, told: Told) -> str:
        """The founder signs, then the operator's staff; the second signature allocates."""
        self._sign(self.founder, told["agreement"])
        self._sign_in(self.operator, OPERATOR)
        self._sign(self.operator, told["agreement"])
        page = self.founder.get(told["application"])
        check(page.has("/projects/"), f"Both signed, but no project is linked: {page.text[:300]}")
        told["project"] = f"/projects/{identifier(page.link('/projects/'))}/"
        page = self.founder.get(told["project"])
        return "both sides signed, allocation granted"

    def _sign_in(self, person: Agent, code: str) -> None:
        """One click, as a newcomer does it; remembers who else can be chosen."""
        page = person.get("/example/sign-in/")
        forms = [form for form in page.forms if "person" in form.fields]
        self.people = without_common_ends([words for form in forms for _name, _value, words in form.buttons])
        chosen = next((form for form in forms if form.fields["person"] == [code]), None)
        if chosen is None:
            raise Broken(f"Nobody called {code} among the people of this example: {page.text[:300]}")
        person.submit(page, chosen, {})

    def _sign(self, person: Agent, address: str) -> None:
        page = person.get(address)
        person.submit(page, page.form("agree", action="/sign/"), {"agree": "yes"})

    def share(self, told: Told) -> str:
        """Let a named person of the example in, so that whoever reads this can look at it as them."""
        page = self.founder.get(f"{told['project']}members/")
        form = page.form("email", "role")
        role = next(value for value in form.choices["role"] if value.upper() == "MEMBER")
        self.founder.submit(page, form, {"email": "gaon@backpack.example", "role": role})
        with Agent(self.url) as colleague:
            self._sign_in(colleague, COLLEAGUE)
            seen = colleague.get(told["project"])
        check(
            told["organisation"] in seen.text or self.tag in seen.text, "The colleague does not see the project."
        )
        return "gaon@backpack.example sees it too"

    # Subjects and trials

    def hand_in(self, told: Told) -> str:
        """Hand in INT8 through the page."""
        page = self.founder.get(f"{told['project']}subjects/new/")
        form = next((form for form in page.forms if form.files), None)
        if form is None:
            raise Broken(f"{page.path} has no form that takes a file.")
        file_field = next(iter(form.files))
        values = {"name": f"숫자 인식 INT8 {self.tag}"}
        page = self.founder.submit(page, form, values, {file_field: (INT8, self._model(INT8))})
        check(re.search(f"/subjects/{IDENTIFIER}/", page.path), f"Not taken: {'; '.join(page.alerts)}")
        told["subject"] = page.path
        return INT8

    def _model(self, filename: str) -> bytes:
        """A model from the backpack: the files that set-up made."""
        path = self.home / "models" / filename
        check(path.exists(), f"{path} is missing; ./run --setup makes it.")
        return path.read_bytes()

    def ask(self, told: Told) -> str:
        """Ask for the trial of INT8 through the page, to be shown to everybody."""
        page = self.founder.get(told["subject"])
        page = self.founder.get(page.link("/trials/new/"))
        form = page.form("visibility")
        page = self.founder.submit(page, form, {"visibility": "public"})
        check(re.search(f"/trials/{IDENTIFIER}/", page.path), f"No trial was made: {'; '.join(page.alerts)}")
        told["trial"] = identifier(page.path)
        return "protocol inference: accuracy, SingleStream, Offline, Server"

    def ask_by_api(self, told: Told) -> str:
        """Hand in the cheat and ask for its trial through the API, with a token."""
        answer = self.founder.http.post(
            "/api/v1/tokens",
            json={"name": "journey", "days": 1},
            headers={"X-CSRFToken": self.founder.token(), "Referer": self.url},
        )
        check(answer.status_code == 201, f"No token: {answer.status_code} {answer.text[:200]}")
        self.api = Client(self.url, answer.json()["secret"])
        version = self.api.hand_in(
            project=identifier(told["project"]),
            name=f"빠른 숫자 인식 {self.tag}",
            filename=CHEAT,
            data=self._model(CHEAT),
        )
        told["cheat"] = version["subject_id"]
        told["cheat_trial"] = self.api.ask(version["id"], visibility="public")["id"]
        return f"{CHEAT}, by token"

    def measure(self, told: Told) -> str:
        """Wait until the platform has measured, judged and signed INT8."""
        trial = self._ended(told["trial"])
        told["verdict"] = trial["outcome"]
        check(trial["outcome"] == "PASSED", f"INT8 did not pass: {trial['outcome']}: {self._why(trial)}")
        check(trial["state"] == "SIGNED", f"INT8 passed, but is {trial['state']}, not signed.")
        told["digest"] = trial["evidence_digest"]
        page = self.founder.get(f"/trials/{told['trial']}/")
        check("PASSED" in page.html or "합격" in page.text, "The trial's page does not show the verdict.")
        return "PASSED"

    def catch(self, told: Told) -> str:
        """The faster model that looks at a corner only must be refused, by name."""
        trial = self._ended(told["cheat_trial"])
        reason = self._why(trial)
        check(trial["outcome"] == "FAILED", f"The cheat was not refused: {trial['outcome']}: {reason}")
        told["refused"] = {"subject": told["cheat"], "verdict": trial["outcome"], "reason": reason}
        return f"FAILED: {reason}"

    def _ended(self, trial_id: str) -> Mapping[str, Any]:
        def look() -> Mapping[str, Any] | None:
            found = self.api.trial(trial_id)
            return found if found["state"] in ENDED and found["outcome"] else None

        trial = until(look, TRIAL_SECONDS_MAX, f"The trial {trial_id} has not ended.")
        if trial is None:
            raise Broken("A trial ended as nothing.")
        if trial["outcome"] in ("PASSED", "FAILED", "WARNED"):  # INVALID is never signed
            signed = until(
                lambda: (again := self.api.trial(trial_id))["state"] == "SIGNED" and again,
                NEWS_SECONDS_MAX,
                f"The trial {trial_id} is judged, but not signed.",
            )
            return signed or trial
        return trial

    def _why(self, trial: Mapping[str, Any]) -> str:
        return "; ".join(str(reason["text"]) for reason in trial.get("reasons", []) if reason["passed"] is False)

    # What was proved

    def pay(self, told: Told) -> str:
        """What was used is charged from the engine's own measure, and the rest of the hold is free again."""
        job = self.api.job(self.api.trial(told["trial"])["job_id"])
        charged = until(
            lambda: self.api.job(job["id"]).get("charged"), NEWS_SECONDS_MAX, "The measurement was not charged."
        )
        told["charged"] = {unit: int(amount) for unit, amount in charged.items()}
        rows = self.api.allocations(identifier(told["project"]))
        held = {row["resource_code"]: row["held"] for row in rows if int(row["held"])}
        check(not held, f"After both trials something is still held: {held}")
        used = {row["unit"]: int(row["used"]) for row in rows}
        check(
            all(used.get(unit, 0) >= amount for unit, amount in told["charged"].items()),
            f"The statement shows {used}, less than the {told['charged']} charged.",
        )
        return ", ".join(f"{amount} {unit}" for unit, amount in told["charged"].items())

    def verify(self, told: Told) -> str:
        """An officer takes the file and the key away and checks them offline; a flipped bit is refused."""
        page = self.officer.get(f"/verify/{told['digest']}/")
        check(told["digest"] in page.html, "The public page does not name the digest.")
        self.folder.mkdir(parents=True, exist_ok=True)
        file, key = self.folder / "evidence.json", self.folder / "centre.pub"
        file.write_bytes(self.officer.http.get(f"/verify/{told['digest']}/evidence.json").content)
        key.write_bytes(self.officer.http.get("/keys/centre.pub").content)
        (self.folder / "verifier.html").write_bytes(
            self.officer.http.get(f"/verify/{told['digest']}/verifier.html").content
        )
        told["evidence"], told["key"] = str(file), str(key)
        done = self._offline(file, key)
        check(done.returncode == 0, f"The evidence is not valid: {done.stdout}{done.stderr}")
        return f"valid; {self._flip(file, key)}"

    def _flip(self, file: Path, key: Path) -> str:
        """Change one bit in a copy; the check that refuses it."""
        data = bytearray(file.read_bytes())
        data[random.Random(self.tag).randrange(len(data))] ^= 1
        changed = self.folder / "changed.json"
        changed.write_bytes(data)
        done = self._offline(changed, key, "--json")
        check(done.returncode == 1, f"A changed byte was not refused: exit status {done.returncode}")
        return f"one changed byte is refused by the check '{json.loads(done.stdout)['failed']}'"

    def _offline(self, file: Path, key: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """The command as anybody would run it: no home, no settings, no server."""
        bare = {name: value for name, value in os.environ.items() if not name.startswith("BITGOEUL_")}
        return self._bitgoeul(bare, "evidence", "verify", str(file), "--key", str(key), *options)

    def _bitgoeul(self, environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bitgoeul.site.cli", *arguments],
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )

    def board(self, told: Told) -> str:
        """The stage board shows the subject, and the public figure has moved."""
        name = f"숫자 인식 INT8 {self.tag}"
        until(lambda: name in self.officer.get("/board/").text, NEWS_SECONDS_MAX, "The board does not show INT8.")
        codes = until(lambda: self._figures_with(told["digest"]), NEWS_SECONDS_MAX, "No figure counts the proof.")
        values, before = self._figures(), told["figures"]
        # A figure that counts files or companies once may stand still for a further proof; not all of them may.
        moved = [code for code in codes if values[code] > before.get(code, 0)]
        check(moved, f"The evidence counts for {', '.join(codes)}, but their values stay {values}.")
        shown = self._on_the_front_page()
        check(shown.keys() & moved, f"Of {', '.join(moved)}, which moved, the front page shows none.")
        return ", ".join(f"{code}: {before.get(code, 0)} → {values[code]}" for code in moved)

    def look(self, told: Told) -> str:
        """Before anything: what the public figures say now."""
        told["figures"] = self._figures()
        values = ", ".join(f"{code} {value}" for code, value in told["figures"].items())
        return f"verified here: {values or 'nothing is counted'}"

    def _figures(self) -> dict[str, int]:
        """The verified values of the API; those that the front page shows must be the same."""
        told: dict[str, int] = {}
        shown: dict[str, int] = {}

        def agree() -> bool:
            rows = list(self.api.rows("/api/v1/figures"))
            told.clear()
            told.update({row["code"]: row["verified"]["value"] for row in rows if row["verified"]})
            shown.clear()
            shown.update(self._on_the_front_page())
            return shown.items() <= told.items()

        # Somebody else's evidence may be counted between two looks; it is not between many.
        until(agree, NEWS_SECONDS_MAX, "The front page and the API disagree on the figures.")
        return told

    def _on_the_front_page(self) -> dict[str, int]:
        """The verified value beside each figure of the front page, by the figure's code."""
        return values_on(self.officer.get("/"))

    def _figures_with(self, digest: str) -> list[str]:
        """The codes of the figures that name this evidence among their claims."""
        rows = list(self.api.rows("/api/v1/figures"))
        return [row["code"] for row in rows if row["verified"] and self._claimed(row["code"], digest)]

    def _claimed(self, code: str, digest: str) -> bool:
        return any(claim["evidence_digest"] == digest for claim in self.api.rows(f"/api/v1/figures/{code}/claims"))

    def books(self, _told: Told) -> str:
        """The ledger and the chain of events are clean."""
        for name in ("ledger", "audit"):
            done = self._bitgoeul(os.environ | {"BITGOEUL_HOME": str(self.home)}, name, "verify", "--json")
            check(done.returncode == 0, f"{name} verify: {done.stdout}{done.stderr}")
        return "ledger and audit clean"


def steps(journey: Journey) -> list[Step]:
    """The way in order."""
    return [
        Step("look", "An officer looks at the public figures", journey.look),
        Step("register", "A founder with one backpack signs up", journey.register),
        Step("found", "The founder registers the company", journey.found),
        Step("plan", "Seven questions lead to a plan", journey.plan),
        Step("apply", "The company applies to the smallest tier", journey.apply),
        Step("sign", "Founder and operator sign the agreement", journey.sign),
        Step("share", "A colleague is let in", journey.share),
        Step("hand_in", "The INT8 model is handed in as a subject", journey.hand_in),
        Step("ask", "A trial of it is asked for, result public", journey.ask),
        Step("ask_by_api", "A faster model that cheats is handed in too", journey.ask_by_api),
        Step("measure", "INT8 is measured, judged and signed", journey.measure),
        Step("catch", "The cheat is measured and judged", journey.catch),
        Step("pay", "What was used is charged, the rest released", journey.pay),
        Step("verify", "An officer checks the evidence offline", journey.verify),
        Step("board", "The stage board and the public figure move", journey.board),
        Step("books", "The books are checked", journey.books),
    ]

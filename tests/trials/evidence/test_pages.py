from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.trials import evidence as services
from bitgoeul.trials import evidence_queries as queries
from bitgoeul.trials.evidence_types import Visibility
from bitgoeul.trials.evidence_words import LANGUAGES, SCRIPTS, WORDS
from bitgoeul.trials.verify import CHECKS

pytestmark = pytest.mark.django_db


class Page(HTMLParser):
    """The parts of a page that matter here: scripts, inline code, and embedded data."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inline_scripts: list[str] = []
        self.data: dict[str, object] = {}
        self.sources: list[str] = []
        self.handlers: list[str] = []
        self._open: dict[str, str | None] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.handlers += [name for name in found if name.startswith("on") or name == "style"]
        if tag == "script":
            if found.get("src"):
                self.sources.append(str(found["src"]))
            self._open = found

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is None or "src" in self._open:
            return
        if self._open.get("type") == "application/json":
            self.data[str(self._open.get("id"))] = json.loads(data)
        else:
            self.inline_scripts.append(data)


def html_of(response) -> str:
    return response.content.decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_check_page_needs_nothing_inline(client, language: str) -> None:
    response = client.get("/verify/", headers={"accept-language": language})
    assert response.status_code == 200
    page = Page(html_of(response))
    assert page.inline_scripts == page.handlers == []
    assert all(any(name in source for source in page.sources) for name in SCRIPTS)
    words = page.data["verify-words"]
    assert set(words) == {language}
    wanted = {*WORDS, "messages", *(f"{kind}.{check.name}" for check in CHECKS for kind in ("holds", "fails"))}
    assert set(words[language]) == wanted


def test_a_digest_leads_to_its_page_and_nonsense_is_explained(client) -> None:
    assert client.get("/verify/", {"digest": " " + "A" * 64}).headers["Location"] == f"/verify/{'a' * 64}/"
    response = client.get("/verify/", {"digest": "<script>"})
    assert response.status_code == 400
    assert "&lt;script&gt;" in html_of(response)
    assert 'aria-invalid="true"' in html_of(response)


def test_public_evidence_is_shown_to_anybody(client, issue) -> None:
    view = issue(Visibility.PUBLIC)
    response = client.get(f"/verify/{view.digest}/", headers={"accept-language": "en"})
    html = html_of(response)
    assert response.status_code == 200
    for part in (view.subject_name, view.log_hash, view.keyid, "1 of 899 were lost.", "Not a KOLAS accredited"):
        assert part in html
    assert "KOLAS 공인성적서가 아님" not in html
    assert "KOLAS 공인성적서가 아님" in html_of(
        client.get(f"/verify/{view.digest}/", headers={"accept-language": "ko"})
    )
    assert "A public protocol 1.0" in html
    assert "Accuracy against FP32, paired" in html
    assert "A public protocol 1.0" in html_of(client.get("/verify/"))
    assert f'data-evidence-url="/verify/{view.digest}/evidence.json"' in html
    page = Page(html)
    assert page.inline_scripts == page.handlers == []
    assert 'aria-live="polite"' in html
    assert "no-store" in response.headers["Cache-Control"]


def test_private_unknown_and_malformed_answer_alike(client, issue, sign_in, chan) -> None:
    hidden = issue().digest
    embargoed = issue(Visibility.PUBLIC, embargo_until=now() + timedelta(days=1)).digest
    digests = [hidden, embargoed, "0" * 64, "nonsense"]
    for path in ("/verify/{}/", "/verify/{}/evidence.json", "/verify/{}/verifier.html", "/api/v1/evidence/{}",
                 "/api/v1/evidence/{}/file"):  # fmt: skip
        for _signed_in in range(2):
            answers = {
                (answer.status_code, re.sub(r"csrf\S+|[\w]{64}|nonsense|X-CSRFToken[^}]*", "", html_of(answer)))
                for answer in (client.get(path.format(digest)) for digest in digests)
            }
            assert len(answers) == 1, path
            assert next(iter(answers))[0] == 404
            sign_in(chan)
        client.logout()


def test_the_owner_sees_the_private_page_and_its_file(client, issue, sign_in, owner) -> None:
    view = issue()
    sign_in(owner)
    assert view.log_hash in html_of(client.get(f"/verify/{view.digest}/"))
    response = client.get(f"/verify/{view.digest}/evidence.json")
    assert response.content == queries.evidence_file(actor=owner, digest=view.digest)
    assert "attachment" in response.headers["Content-Disposition"]


def test_the_key_is_published(client, settings) -> None:
    response = client.get("/keys/centre.pub")
    assert response.content == (settings.KEYS / "centre.pub").read_bytes()
    assert response.content.startswith(b"-----BEGIN PUBLIC KEY-----")
    assert not (settings.KEYS / "centre.pub").stat().st_mode & 0o022


def test_the_one_file_verifier_is_a_download_with_everything_inside(client, issue) -> None:
    view = issue(Visibility.PUBLIC)
    response = client.get(f"/verify/{view.digest}/verifier.html")
    assert response.headers["Content-Disposition"].startswith("attachment;")
    html = html_of(response)
    page = Page(html)
    assert page.sources == []
    assert "http://" not in html.replace("https://in-toto.io", "")
    embedded = page.data["verify-embedded"]
    assert base64.b64decode(embedded["evidence"]) == client.get(f"/verify/{view.digest}/evidence.json").content
    assert embedded["key"] == client.get("/keys/centre.pub").content.decode()
    assert view.keyid in html
    assert set(page.data["verify-words"]) == {"ko", "en"}
    for name, inline in zip(SCRIPTS, page.inline_scripts, strict=True):
        served = b"".join(client.get(f"/static/{name}").streaming_content).decode()
        assert inline.strip() == served.strip()


def test_invalidated_evidence_says_so_first(client, issue, staff) -> None:
    view = issue(Visibility.PUBLIC)
    services.invalidate(actor=staff, digest=view.digest, reason="The meter was broken.")
    html = html_of(client.get(f"/verify/{view.digest}/"))
    assert html.index("The meter was broken.") < html.index("data-verify")


def test_the_evidence_page_is_for_its_people(client, issue, sign_in, owner, bora, chan, staff) -> None:
    view = issue(Visibility.PUBLIC)
    address = f"/evidence/{view.digest}/"
    assert client.get(address).status_code == 302
    sign_in(owner)
    html = html_of(client.get(address))
    assert view.log_previous in html
    assert 'name="visibility"' in html
    assert 'name="reason"' not in html
    client.logout()
    sign_in(bora)
    assert 'name="visibility"' not in html_of(client.get(address))
    client.logout()
    sign_in(staff)
    assert 'name="reason"' in html_of(client.get(address))


def test_who_sees_it_is_decided_by_a_plain_form(client, issue, sign_in, owner) -> None:
    view = issue()
    sign_in(owner)
    address = f"/evidence/{view.digest}/"
    data = {"visibility": "public", "seen_version": "0", "embargo_until": ""}
    assert client.post(address, data).headers["Location"] == address
    assert queries.public_evidence(view.digest) is not None
    stale = client.post(address, {**data, "visibility": "private"})
    assert stale.status_code == 400
    assert queries.public_evidence(view.digest) is not None
    later = client.post(address, {**data, "embargo_until": "2100-01-02T09:00", "seen_version": "1"})
    assert later.status_code == 302
    found = queries.evidence(actor=owner, digest=view.digest)
    assert found.embargo_until.isoformat() == "2100-01-02T00:00:00+00:00"
    assert queries.public_evidence(view.digest) is None


def test_organisations_are_named_by_their_registration_number(client, issue, sign_in, owner, person) -> None:
    from bitgoeul.accounts import facade as accounts

    buyer = accounts.create_organisation(
        actor=person("dana"), id=new_id(), name="사는 곳 (예시)", kind=accounts.OrganisationKind.INSTITUTE,
        registration_number="000-00-00015", is_example=True,
    )  # fmt: skip
    view = issue()
    sign_in(owner)
    address = f"/evidence/{view.digest}/"
    for number in ("000-00-00029", "000-00-00012", "nonsense", ""):  # unknown, wrong check digit, no number, none
        wrong = client.post(address, {"visibility": "named", "numbers": number, "seen_version": "0"})
        assert wrong.status_code == 400
    done = client.post(address, {"visibility": "named", "numbers": "000-00-00015\n", "seen_version": "0"})
    assert done.status_code == 302, html_of(done)
    assert queries.evidence(actor=owner, digest=view.digest).organisations == (buyer.id,)
    assert "사는 곳" in html_of(client.get(address))


def test_an_operator_invalidates_by_a_plain_form(client, issue, sign_in, staff) -> None:
    view = issue(Visibility.PUBLIC)
    sign_in(staff)
    address = f"/evidence/{view.digest}/"
    assert client.post(address, {"reason": "short"}).status_code == 400
    assert client.post(address, {"reason": "The meter was broken."}).status_code == 302
    assert queries.public_evidence(view.digest).invalidated_because == "The meter was broken."


def test_pages_take_few_queries(client, issue, sign_in, owner, django_assert_max_num_queries) -> None:
    views = [issue(Visibility.PUBLIC) for _ in range(6)]
    sign_in(owner)
    for path in ("/verify/", f"/verify/{views[0].digest}/", f"/evidence/{views[0].digest}/"):
        with django_assert_max_num_queries(14):
            assert client.get(path).status_code == 200


def test_rest_reads_public_evidence_and_lets_the_owner_decide(client, issue, sign_in, owner, project) -> None:
    view = issue(Visibility.PUBLIC)
    told = client.get(f"/api/v1/evidence/{view.digest}").json()
    assert (told["digest"], told["verdict"], told["log_sequence"], told["public"]) == (
        view.digest,
        "PASSED",
        1,
        True,
    )
    assert client.get(f"/api/v1/evidence/{view.digest}/file").content.endswith(b"}\n")
    change = {"visibility": "private"}
    address = f"/api/v1/evidence/{view.digest}/visibility"
    assert client.post(address, change, content_type="application/json").status_code == 401
    sign_in(owner)
    assert client.post(address, change, content_type="application/json").json()["visibility"] == "private"
    page = client.get("/api/v1/evidence", {"project_id": str(project.id)}).json()
    assert [one["digest"] for one in page["items"]] == [view.digest]
    refused = client.post(
        f"/api/v1/evidence/{view.digest}/invalidation",
        {"reason": "I do not like it."},
        content_type="application/json",
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")

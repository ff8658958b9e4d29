"""The agent reads forms as a browser without scripts does, and sends nothing a person could not have sent."""

from __future__ import annotations

import httpx
import pytest

from bitgoeul.site.agent import Agent, Page, PageFault

HTML = """<!doctype html><html><head><title>Seven
 questions</title><style>p { color: red }</style></head><body>
<form action="/search" method="get"><input name="q" value="old"></form>
<form id="main" method="post" action="send/">
 <input type="hidden" name="csrfmiddlewaretoken" value="t0ken">
 <input name="name" value="a &amp; b"><textarea name="note">
two
lines</textarea>
 <select name="kind"><option value="sme">SME</option><option value="start_up" selected>Start-up</option></select>
 <select name="first"><option value="1">1</option><option value="2">2</option></select>
 <input type="radio" name="tier" value="small"><input type="radio" name="tier" value="large" checked>
 <input type="checkbox" name="agree"> <input name="off" disabled value="x"> <input type="file" name="model">
 <p role="alert">Enter a <b>number</b>.</p> </stray>
 <button name="act" value="save">Save it</button><button name="act" value="send"><span>Send</span></button>
</form>
<input form="main" name="outside" value="o"> <a href="/trials/1/">The <i>trial</i></a>
<script>var hidden = "not text";</script></body></html>"""


@pytest.fixture
def sent():
    return []


@pytest.fixture
def agent(sent):
    def answer(request):
        sent.append(request)
        if request.url.path == "/refused/":
            return httpx.Response(403, html='<p role="alert">Only the owner may sign.</p>', request=request)
        return httpx.Response(200, html=HTML, request=request)

    agent = Agent("http://portal")
    agent.http = httpx.Client(base_url="http://portal", transport=httpx.MockTransport(answer))
    return agent


def test_a_page_is_read_as_a_person_reads_it(agent):
    page = agent.get("/start/")
    assert page.title == "Seven questions"
    assert page.alerts == ["Enter a", "number", "."]
    assert page.link("/trials/") == "/trials/1/"
    assert "not text" not in page.text
    assert "color" not in page.text


def test_a_form_holds_what_the_page_put_in(agent):
    form = agent.get("/start/").form("name", "tier")
    assert form.fields["name"] == ["a & b"]
    assert form.fields["kind"] == ["start_up"]
    assert form.fields["first"] == ["1"]
    assert form.fields["tier"] == ["large"]
    assert form.fields["outside"] == ["o"]
    assert "agree" not in form.fields
    assert "off" not in form.names()
    assert form.choices["agree"] == ["on"]


def test_a_form_is_sent_with_its_token_the_chosen_button_and_the_page_as_referer(agent, sent):
    page = agent.get("/start/")
    agent.submit(
        page, page.form("name"), {"name": "new", "tier": "small"}, {"model": ("m.onnx", b"\x08")}, button="Send"
    )
    request = sent[-1]
    body = request.read()
    assert request.url.path == "/start/send/"
    assert request.headers["referer"] == "http://portal/start/"
    for part in (b"t0ken", b"new", b"small", b'filename="m.onnx"', b"send"):
        assert part in body
    assert b"large" not in body


def test_a_get_form_asks_with_its_address(agent, sent):
    page = agent.get("/start/")
    agent.submit(page, page.form("q"), {"q": "빛"})
    assert str(sent[-1].url) == "http://portal/search?q=%EB%B9%9B"


@pytest.mark.parametrize(
    ("values", "said"), [({"nowhere": "x"}, "no field nowhere"), ({"tier": "huge"}, "only small")]
)
def test_what_the_form_does_not_offer_is_not_sent(agent, values, said):
    page = agent.get("/start/")
    with pytest.raises(PageFault, match=said):
        agent.submit(page, page.form("name"), values)


def test_a_refusal_is_told_in_the_words_of_the_page(agent):
    with pytest.raises(PageFault, match=r"GET /refused/ answered 403: Only the owner may sign\."):
        agent.get("/refused/")


def test_a_missing_form_or_link_says_what_is_there():
    page = Page(httpx.Response(200, html=HTML, request=httpx.Request("GET", "http://portal/start/")))
    with pytest.raises(PageFault, match=r"has no form with wanted\. It has /search: q"):
        page.form("wanted")
    with pytest.raises(PageFault, match="has no link to /evidence/"):
        page.link("/evidence/")

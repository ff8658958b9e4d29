"""A person at a browser without scripts: follows pages, fills the forms that really stand on them, keeps cookies.

The journey and `bitgoeul sign-in` act through it, so that what they prove is what a person can do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpx

SECONDS_MAX = 30.0
Value = str | Sequence[str]
VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
SILENT = frozenset({"script", "style", "template", "head"})


class PageFault(Exception):
    """A page did not hold what a person would have needed, or refused what they sent."""


@dataclass
class Form:
    """One form: where it goes, what it holds before anything is filled in, and what may be chosen."""

    action: str
    method: str
    identity: str = ""
    fields: dict[str, list[str]] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)

    def names(self) -> set[str]:
        """Every field that can be filled in."""
        return {*self.fields, *self.choices, *self.files}


class _Reader(HTMLParser):
    """Collects forms, links, visible text and what is marked as an error."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.by_id: dict[str, Form] = {}
        self.links: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.alerts: list[str] = []
        self.title = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self._form: Form | None = None
        self._select: tuple[Form, str] | None = None
        self._text: list[str] | None = None
        self._closing: Any = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append((tag, named))
        if tag == "form":
            self._form = Form(named.get("action", ""), named.get("method", "get").lower(), named.get("id", ""))
            self.forms.append(self._form)
            self.by_id[named.get("id", "")] = self._form
        elif tag == "a" and "href" in named:
            self._collect(lambda words: self.links.append((named["href"], words)))
        elif tag == "title":
            self._collect(self._set_title)
        elif tag in ("input", "select", "textarea", "button", "option"):
            self._control(tag, named)

    def _set_title(self, words: str) -> None:
        self.title = words

    def _collect(self, closing: Any) -> None:
        self._text, self._closing = [], closing

    def _control(self, tag: str, named: dict[str, str]) -> None:
        form = self.by_id.get(named["form"]) if "form" in named else self._form
        name = named.get("name", "")
        if tag == "option" and self._select is not None:
            self._option(named)
        elif form is None or "disabled" in named:
            return
        elif tag == "button":
            if named.get("type", "submit") == "submit":
                value = named.get("value", "")
                self._collect(lambda words: form.buttons.append((name, value, words)))
        elif tag == "select" and name:
            form.choices.setdefault(name, [])
            self._select = (form, name)
        elif tag == "textarea" and name:
            self._collect(lambda words: form.fields.setdefault(name, []).append(words))
        elif tag == "input":
            self._input(form, name, named)

    def _option(self, named: dict[str, str]) -> None:
        if self._select is None or "value" not in named or "disabled" in named:
            return
        form, name = self._select
        form.choices[name].append(named["value"])
        if "selected" in named:
            form.fields.setdefault(name, []).append(named["value"])

    def _input(self, form: Form, name: str, named: dict[str, str]) -> None:
        kind, value = named.get("type", "text").lower(), named.get("value", "")
        if kind in ("submit", "image"):
            form.buttons.append((name, value, value))
        elif kind == "file" and name:
            form.files.add(name)
        elif kind in ("radio", "checkbox") and name:
            form.choices.setdefault(name, []).append(named.get("value", "on"))
            if "checked" in named:
                form.fields.setdefault(name, []).append(named.get("value", "on"))
        elif name:
            form.fields.setdefault(name, []).append(value)

    def handle_endtag(self, tag: str) -> None:
        if self._closing is not None and tag in ("a", "title", "textarea", "button"):
            closing, words = self._closing, " ".join("".join(self._text or []).split())
            self._text = self._closing = None
            closing(words)
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._finish_select()
        if any(opened == tag for opened, _named in self._open):  # a stray end tag closes nothing
            while self._open.pop()[0] != tag:
                pass

    def _finish_select(self) -> None:
        if self._select is not None:
            form, name = self._select
            if name not in form.fields and form.choices[name]:
                form.fields[name] = form.choices[name][:1]  # a browser shows the first option as chosen
        self._select = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)
        if any(tag in SILENT for tag, _named in self._open) or not data.strip():
            return
        words = " ".join(data.split())
        self.words.append(words)
        if any(is_alert(named) for _tag, named in self._open):
            self.alerts.append(words)


def is_alert(attributes: Mapping[str, str]) -> bool:
    """Whether an element tells of an error: by role, or by the class that form errors carry."""
    classes = attributes.get("class", "").split()
    return attributes.get("role") == "alert" or "errorlist" in classes or "form-hint-invalid" in classes


class Page:
    """One answer, read as a person would."""

    def __init__(self, answer: httpx.Response) -> None:
        self.url = str(answer.url)
        self.path = urlsplit(self.url).path
        self.status = answer.status_code
        self.html = answer.text
        reader = _Reader()
        reader.feed(self.html)
        self.title, self.forms, self.links = reader.title, reader.forms, reader.links
        self.text = " ".join(reader.words)
        self.alerts = list(dict.fromkeys(reader.alerts))

    def form(self, *needed: str, action: str = "") -> Form:
        """The form that has every field in ``needed`` and goes to ``action``; `PageFault` when there is none."""
        for form in self.forms:
            if form.names() >= set(needed) and action in form.action:
                return form
        there = "; ".join(f"{form.action or 'here'}: {', '.join(sorted(form.names()))}" for form in self.forms)
        raise PageFault(
            f"{self.path} ({self.title}) has no form with {', '.join(needed) or action}. It has {there}."
        )

    def link(self, part: str) -> str:
        """The first link whose address holds ``part``."""
        for address, _words in self.links:
            if part in address:
                return address
        raise PageFault(f"{self.path} ({self.title}) has no link to {part}.")

    def has(self, part: str) -> bool:
        """Whether a link to ``part`` stands on the page."""
        return any(part in address for address, _words in self.links)


class Agent:
    """One person with their own cookies; a refusal (400 and above) raises `PageFault` in the page's words."""

    def __init__(self, url: str, language: str = "ko") -> None:
        self.url = url.rstrip("/")
        self.http = httpx.Client(
            base_url=self.url,
            follow_redirects=True,
            timeout=SECONDS_MAX,
            headers={"Accept-Language": language, "Accept": "text/html"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str) -> Page:
        """Open a page."""
        return self._read(self.http.get(path))

    def submit(
        self,
        page: Page,
        form: Form,
        values: Mapping[str, Value],
        files: Mapping[str, tuple[str, bytes]] | None = None,
        button: str = "",
    ) -> Page:
        """Fill ``values`` in and send the form; a field or choice that does not stand there is a `PageFault`."""
        data = dict(form.fields)
        for name, value in values.items():
            chosen = [value] if isinstance(value, str) else list(value)
            self._check(page, form, name, chosen)
            data[name] = chosen
        for name, value, words in form.buttons:
            if name and button in (value, words, name):
                data[name] = [value]
                break
        target = urljoin(page.url, form.action or page.url)
        if form.method == "get":
            return self._read(self.http.get(target, params=data))
        # A file form is multipart even when nobody chose a file; the other kind must not be.
        sent = {name: (file[0], file[1]) for name, file in (files or {}).items()}
        headers = {"Referer": page.url, "Origin": self.url}
        return self._read(self.http.post(target, data=data, files=sent or None, headers=headers))

    def _check(self, page: Page, form: Form, name: str, chosen: list[str]) -> None:
        if name not in form.names():
            raise PageFault(f"{page.path}: the form has no field {name}, but {', '.join(sorted(form.names()))}.")
        if name in form.choices and (wrong := [each for each in chosen if each not in form.choices[name]]):
            raise PageFault(
                f"{page.path}: {name} cannot be {wrong[0]!r}, only {', '.join(form.choices[name][:20])}."
            )

    def _read(self, answer: httpx.Response) -> Page:
        page = Page(answer)
        if answer.is_error:
            words = "; ".join(page.alerts) or page.text[:300] or page.html[:300]
            raise PageFault(f"{answer.request.method} {page.path} answered {answer.status_code}: {words}")
        return page

    def token(self) -> str:
        """The form token of this person's cookies, for calls that send no form."""
        return str(self.http.cookies.get("csrftoken", ""))

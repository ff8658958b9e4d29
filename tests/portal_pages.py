"""Every page address of the portal, read from the URL configuration and filled in from `portal_world`.

A new page is found by itself; one whose address takes something not named here fails the suites that ask for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

PLACE = re.compile(r"<(?:\w+:)?(\w+)>")
# What stands for a parameter: by its name below a first part of the address, then by its name alone.
BY_PART = {
    ("applications", "id"): "application",
    ("agreements", "id"): "agreement",
    ("figures", "code"): "figure",
    ("subjects", "id"): "subject",
    ("trials", "id"): "trial",
    ("trail", "id"): "project",
    ("published", "id"): "published",
}
BY_NAME = {
    "project_id": "project",
    "organisation_id": "company",
    "job_id": "job",
    "sweep_id": "sweep",
    "user_id": "bora",
    "token_id": "token",
    "elevation_id": "token",
    "sign_in_id": "token",
    "digest": "public",
    "allocation_id": "allocation",
}
# Pages that look otherwise with a question in their address.
QUERIES = (
    "/search/?q=%EA%B0%80%EC%98%A8",
    "/search/?q=%EA%B0%80%EC%98%A8&kind=subject",
    "/search/?q=x",
    "/agreements/?waiting",
    "/agreements/?page=2",
    "/calls/?past",
    "/projects/{project}/statement/?allocation={allocation}",
    "/projects/{project}/trials/new/?version={version}",
    "/calls/quick-start/apply/?draft={draft}",
    "/trail/organisation/{company}/",
    "/trail/application/{application}/",
    "/trail/agreement/{agreement}/",
    "/trail/allocation/{allocation}/",
    "/trail/job/{job}/",
    "/projects/{project}/sweeps/new/?template=sweep",
    "/prices/?unit=core_ms",
    "/prices/?unit=seat",
    "/sweeps/{sweep}/?state=QUEUED",
    "/sweeps/{sweep}/?state=FAILED",
    "/trail/trial/{trial}/",
    "/trail/evidence/{private}/",
    "/published/?submitter=Gaon",
    "/published/?round=v9.9",
    "/published/compare/?work=resnet50%20Offline",
)
# The same in every world.
FIXED = {
    ("calls", "code"): "quick-start",
    ("catalogue", "code"): "cpu-core",
    ("start", "number"): "1",
    ("trail", "kind"): "project",
}
# Wrong on purpose: what a broken link from a mail shows is a page too, and a file is none.
MADE_UP = {"key": "nothing", "uidb36": "0", "role": "log", "name": "nothing"}
MADE_UP |= {"pk": "0", "provider_id": "nothing", "organization_slug": "nothing"}
NO_PAGES = re.compile(r"^(api/v1/|static/|healthz|readyz|metrics)")


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """Every address pattern of the installation."""
    for one in (resolver or get_resolver()).url_patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one, path)
        else:
            assert isinstance(one, URLPattern)
            yield path


def filled(route: str, ids: Mapping[str, Any]) -> str:
    """The address of a pattern with things of the world in it; AssertionError names what nothing stands for."""
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)|[\^$]|\\Z", lambda found: f"<{found[1]}>" if found[1] else "", route)
    part = route.split("/", 1)[0]

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name in MADE_UP or (part, name) in FIXED:
            return FIXED.get((part, name)) or MADE_UP[name]
        known = BY_PART.get((part, name)) or BY_NAME.get(name)
        assert known, f"say in tests/portal_pages.py what stands for <{name}> in {route}"
        return str(ids[known])

    return "/" + PLACE.sub(value, route)


def addresses(ids: Mapping[str, Any]) -> list[str]:
    """Every address that might be a page, in order; ask for each and keep those that answer with one."""
    found = [filled(route, ids) for route in routes() if not NO_PAGES.match(route)]
    return list(dict.fromkeys([*found, *(one.format(**ids) for one in QUERIES)]))


def is_page(status: int, content_type: str) -> bool:
    """Whether an answer is a page that people read."""
    return status == 200 and content_type.startswith("text/html")

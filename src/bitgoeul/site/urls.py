"""Every address of the portal; each room brings its own."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from . import health

ROOMS_WITH_PAGES = ["accounts", "compute", "resources", "trials", "programmes", "outcomes", "site.pages"]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.live),
    path("readyz", health.ready),
    path("accounts/", include("allauth.urls")),
]
if find_spec("bitgoeul.site.rest"):
    from .rest import api

    urlpatterns.append(path("api/v1/", api.urls))
for room in ROOMS_WITH_PAGES:
    if find_spec(f"bitgoeul.{room}") and find_spec(f"bitgoeul.{room}.urls"):
        urlpatterns.append(path("", include(f"bitgoeul.{room}.urls")))

handler400 = "bitgoeul.site.pages.errors.bad_request"
handler403 = "bitgoeul.site.pages.errors.forbidden"
handler404 = "bitgoeul.site.pages.errors.not_found"
handler429 = "bitgoeul.site.pages.errors.too_many"
handler500 = "bitgoeul.site.pages.errors.server_error"

"""Every address of the portal; each room brings its own."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from . import health, metrics
from .rest import api

ROOMS_WITH_PAGES = ("accounts", "compute", "resources", "trials", "programmes", "outcomes", "site.pages")

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.live),
    path("readyz", health.ready),
    path("metrics", metrics.page),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", api.urls),
    *(path("", include(f"bitgoeul.{room}.urls")) for room in ROOMS_WITH_PAGES),
]

handler400 = "bitgoeul.site.pages.errors.bad_request"
handler403 = "bitgoeul.site.pages.errors.forbidden"
handler404 = "bitgoeul.site.pages.errors.not_found"
handler429 = "bitgoeul.site.pages.errors.too_many"
handler500 = "bitgoeul.site.pages.errors.server_error"

"""Addresses of the pages that join rooms."""

from __future__ import annotations

from django.urls import path
from django.views.i18n import set_language

from . import board, catalogue, decisions, front, home, interface, outlooks, project, search, trail, use

app_name = "site"
urlpatterns = [
    path("", front.front, name="front"),
    path("home/", home.home, name="home"),
    path("projects/<uuid:project_id>/", project.project, name="project"),
    path("board/", board.board, name="board"),
    path("catalogue/", catalogue.catalogue, name="catalogue"),
    path("catalogue.xlsx", catalogue.catalogue_xlsx, name="catalogue_xlsx"),
    path("catalogue/<slug:code>/", catalogue.catalogue_entry, name="catalogue_entry"),
    path("decisions/", decisions.inbox, name="decisions"),
    path("decisions/preview/", decisions.preview, name="decisions_preview"),
    path("decisions/report/", decisions.report, name="decisions_report"),
    path("use/", use.use, name="use"),
    path("use.xlsx", use.use_xlsx, name="use_xlsx"),
    path("use/allocations/", outlooks.outlooks, name="outlooks"),
    path("use/allocations.xlsx", outlooks.outlooks_xlsx, name="outlooks_xlsx"),
    path("search/", search.search, name="search"),
    path("trail/<slug:kind>/<str:id>/", trail.trail, name="trail"),
    path("api/", interface.interface, name="interface"),
    path("language/", set_language, name="language"),
]

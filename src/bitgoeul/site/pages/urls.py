"""Addresses of the pages that join rooms."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, path
from django.views.i18n import set_language

app_name = "site"
urlpatterns: list[URLPattern] = [path("language/", set_language, name="language")]
if all(find_spec(f"bitgoeul.{room}.facade") for room in ("compute", "resources", "trials")):
    from . import board, front, home, project

    urlpatterns += [
        path("", front.front, name="front"),
        path("home/", home.home, name="home"),
        path("projects/<uuid:project_id>/", project.project, name="project"),
        path("board/", board.board, name="board"),
    ]

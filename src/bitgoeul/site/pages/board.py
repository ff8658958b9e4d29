"""The stage board: demonstration, verification, mass production, market."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from bitgoeul.trials import facade as trials


def board(request: HttpRequest) -> HttpResponse:
    """GET /board/"""
    return render(request, "site/pages/board.html", {"columns": trials.stage_board()})

"""The stage board: demonstration, verification, mass production, market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from bitgoeul.trials import facade as trials
from bitgoeul.web.facade import page_number, page_of_items

CARDS_A_COLUMN = 6


def board(request: HttpRequest) -> HttpResponse:
    """GET /board/; with ``?stage=CODE`` every subject of one stage, a page at a time."""
    wanted = request.GET.get("stage")
    for column in trials.stage_board() if wanted else ():
        if column.stage == wanted:
            page = page_of_items(column.cards, page_number(request))
            context = {"columns": [replace(column, cards=page.items)], "one": column, "page": page}
            return render(request, "site/pages/board.html", context)
    return render(request, "site/pages/board.html", {"columns": newest()})


def newest() -> Sequence[trials.BoardColumn]:
    """The board with the newest subjects of each stage."""
    return [replace(column, cards=column.cards[:CARDS_A_COLUMN]) for column in trials.stage_board()]

"""Public pages with much evidence: no more queries than with little, and a way to all of it."""

from __future__ import annotations

import pytest

from bitgoeul.trials.evidence_types import Visibility

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/", "/board/", "/figures/"])
def test_public_pages_do_not_grow_with_evidence(client, issue, path, django_assert_max_num_queries):
    issue(Visibility.PUBLIC)
    client.get(path)
    with django_assert_max_num_queries(30) as few:
        assert client.get(path).status_code == 200
    for _ in range(8):
        newest = issue(Visibility.PUBLIC)
    with django_assert_max_num_queries(len(few.captured_queries)):
        page = client.get(path).content.decode()
    if path == "/":
        assert newest.digest[:12] in page, "the page really shows what was added"


def test_a_stage_with_many_subjects_leads_to_all_of_them(client, issue):
    digests = [issue(Visibility.PUBLIC).digest for _ in range(7)]
    board = client.get("/board/").content.decode()
    assert sum(digest in board for digest in digests) == 6
    assert 'href="/board/?stage=demonstration"' in board
    stage = client.get("/board/?stage=demonstration").content.decode()
    assert all(digest in stage for digest in digests)
    assert 'href="/board/?stage=demonstration"' not in stage, "what is all shown leads no further"
    assert client.get("/board/?stage=nonsense").content.decode().count('class="board-column"') == 4

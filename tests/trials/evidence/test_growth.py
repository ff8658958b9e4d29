"""Public pages with much evidence cost as many queries as with little."""

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

"""Paging, errors beside fields, rendered text."""

from __future__ import annotations

import pytest
from django import forms
from django.test import RequestFactory
from django.utils.translation import override

from bitgoeul.audit.models import Move
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import Text
from bitgoeul.web.facade import add_error, is_fragment, page_number, page_of, render_text


class CoresForm(forms.Form):
    cores = forms.IntegerField()


@pytest.mark.parametrize(
    ("query", "number"), [("", 1), ("page=3", 3), ("page=-1", 1), ("page=x", 1), ("page=0", 1)]
)
def test_a_page_number_is_never_nonsense(query, number):
    assert page_number(RequestFactory().get(f"/?{query}")) == number


@pytest.mark.django_db
def test_pages_are_bounded_and_cost_two_queries(django_assert_num_queries):
    Move.objects.bulk_create(
        Move(subject_kind="t", subject_id=str(n), version=1, action="a", from_state="A", to_state="B", actor="x")
        for n in range(45)
    )
    with django_assert_num_queries(2):
        page = page_of(Move.objects.order_by("id"), number=99, per_page=20)
    assert (page.number, page.last, page.total, len(page.items)) == (3, 3, 45, 5)
    assert (page.previous, page.next) == (2, None)
    assert page_of(Move.objects.order_by("id"), per_page=10_000).per_page == 100


def test_a_refusal_stands_beside_its_field_with_its_remedy():
    form = CoresForm({"cores": "9"})
    assert form.is_valid()
    add_error(form, BadInput("Too many: {n}.", field="cores", remedy=Text("Ask for at most 4."), n=9))
    add_error(form, BadInput("Closed.", field="elsewhere"))
    assert form.errors == {"cores": ["Too many: 9. Ask for at most 4."], "__all__": ["Closed."]}


def test_fragments_are_for_htmx_only():
    assert is_fragment(RequestFactory().get("/", headers={"HX-Request": "true"}))
    assert not is_fragment(RequestFactory().get("/", headers={"HX-Request": "true", "HX-Boosted": "true"}))
    assert not is_fragment(RequestFactory().get("/"))


def test_texts_are_rendered_in_the_readers_language():
    text = Text("You are not allowed to do this.")
    with override("en"):
        assert render_text(text) == "You are not allowed to do this."
    with override("ko"):
        assert render_text(text) != "You are not allowed to do this."

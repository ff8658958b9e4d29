"""What a page keeps from one reader to the next: the words of a language, and nothing of the reader."""

from __future__ import annotations

import re

from django.template import RequestContext, engines
from django.utils import translation


def test_kept_parts_are_rendered_once_a_language(rf):
    template = engines["django"].from_string("{% kept %}{% translate 'Sign in' %}{% endkept %}").template
    shown = {}
    for language in ("ko", "en", "ko"):
        with translation.override(language):
            shown[language] = template.render(RequestContext(rf.get("/")))
    assert shown == {"ko": "로그인", "en": "Sign in"}
    assert len(template.nodelist[0].kept) == 2


def test_a_kept_part_cannot_show_anything_of_its_reader(rf):
    source = "{% kept %}[{{ name }}{{ request.path }}{{ csrf_token }}]{% endkept %}{{ name }}"
    template = engines["django"].from_string(source).template
    shown = [template.render(RequestContext(rf.get("/"), {"name": name})) for name in ("Ara", "Bora")]
    assert shown == ["[]Ara", "[]Bora"]


def test_pages_of_two_people_share_no_name_and_no_form_key(client, person):
    from people import sign_in_by

    pages = {}
    for name in ("ara", "bora"):
        client.cookies.clear()
        sign_in_by(client, person(name).user_id)
        pages[name] = client.get("/catalogue/").content.decode()
    assert "Ara" in pages["ara"]
    assert "Ara" not in pages["bora"]
    keys = [set(re.findall(r'name="csrfmiddlewaretoken" value="(\w{64})"', page)) for page in pages.values()]
    assert all(keys)
    assert keys[0].isdisjoint(keys[1])


def test_the_menu_of_the_operator_is_not_shown_to_others(client, engineer, ara):
    from people import sign_in_by

    sign_in_by(client, engineer.user_id)
    assert 'href="/fleet/"' in client.get("/catalogue/").content.decode()
    sign_in_by(client, ara.user_id)
    assert 'href="/fleet/"' not in client.get("/catalogue/").content.decode()

"""Parts of a page that say the same to everybody in a language: rendered once in a process, then kept."""

from __future__ import annotations

from django import template
from django.template import Context
from django.template.base import NodeList, Parser, Token
from django.urls import get_script_prefix
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

register = template.Library()


class KeptNode(template.Node):
    """What stands between ``{% kept %}`` and ``{% endkept %}``, by language and by where the portal is mounted."""

    def __init__(self, inside: NodeList) -> None:
        self.inside = inside
        self.kept: dict[tuple[str | None, str], SafeString] = {}

    def render(self, context: Context) -> SafeString:
        """The kept text.

        It is rendered in an empty context: a variable inside would show nothing, and so never one reader's words
        to another.
        """
        key = (get_language(), get_script_prefix())
        found = self.kept.get(key)
        if found is None:
            found = mark_safe(self.inside.render(_nobody(context)))  # noqa: S308 - a rendered template
            self.kept[key] = found
        return found


def _nobody(context: Context) -> Context:
    """A context without a request, person or variable; only the template is known."""
    empty = Context(autoescape=context.autoescape)
    empty.template = context.template
    empty.render_context = context.render_context
    return empty


@register.tag
def kept(parser: Parser, token: Token) -> KeptNode:
    """``{% kept %} … {% endkept %}`` around what depends on nothing but the language."""
    inside = parser.parse(("endkept",))
    parser.delete_first_token()
    return KeptNode(inside)

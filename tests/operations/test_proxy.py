"""Only a named proxy is believed about who is behind it and how they came."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory

from bitgoeul.site.env import networks
from bitgoeul.site.middleware import ProxyMiddleware


@pytest.fixture
def seen(monkeypatch):
    """What the portal takes a request for: address and whether it came by TLS."""

    def look(peer, **meta):
        monkeypatch.setattr(settings, "TRUSTED_PROXIES", networks("127.0.0.1, 10.1.0.0/16"))
        monkeypatch.setattr(settings, "SECURE_PROXY_SSL_HEADER", ("HTTP_X_FORWARDED_PROTO", "https"))
        request = RequestFactory().get("/", REMOTE_ADDR=peer, **meta)
        found = []
        ProxyMiddleware(lambda r: found.append((r.META["REMOTE_ADDR"], r.is_secure())) or HttpResponse())(request)
        return found[0]

    return look


@pytest.mark.parametrize(
    ("peer", "forwarded", "visitor"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),  # the visitor made the first one up
        ("127.0.0.1", "203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1", "10.1.2.3", "127.0.0.1"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
def test_the_visitor_is_the_last_address_that_no_trusted_proxy_has(seen, peer, forwarded, visitor):
    assert seen(peer, HTTP_X_FORWARDED_FOR=forwarded)[0] == visitor


def test_only_a_trusted_proxy_can_say_that_a_visitor_came_by_tls(seen):
    assert seen("127.0.0.1", HTTP_X_FORWARDED_PROTO="https")[1] is True
    assert seen("198.51.100.7", HTTP_X_FORWARDED_PROTO="https")[1] is False


def test_a_wrong_network_is_refused_by_name():
    with pytest.raises(ValueError, match=r"“10\.0\.0\.1/8” is neither an address nor a network"):
        networks("127.0.0.1, 10.0.0.1/8")

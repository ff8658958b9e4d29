"""Addresses, credentials and certificates."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput
from bitgoeul.telemetry import Cause, Source
from bitgoeul.telemetry.prometheus import PrometheusReader

from .conftest import Loopback, serve

PAGE = b'all_smi_gpu_utilization{gpu_index="0"} 1\n'


@pytest.mark.parametrize(
    "url",
    [
        "",
        "metrics",
        "ftp://node/metrics",
        "http://",
        "http://node:99999/",
        "http://node:0/",
        "http://no de/",
        "http://node/\r\nX: y",
        "http://ara:secret@node/metrics",
        "file:///etc/passwd",
        "http://[::1/metrics",
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(url):
    with pytest.raises(BadInput) as refused:
        Source(url)
    assert refused.value.field == "url"


def test_credentials_never_leave_this_machine_in_the_clear():
    with pytest.raises(BadInput, match="https"):
        Source("http://bmc.example/", credentials_file="/run/secret")
    Source("http://127.0.0.1:1/", credentials_file="/run/secret")
    Source("https://bmc.example/", credentials_file="/run/secret")


def test_a_relative_file_is_refused():
    with pytest.raises(BadInput):
        Source("https://bmc.example/", ca_file="ca.pem")


@pytest.mark.parametrize(
    ("line", "header"), [("ara:se:cret", "Basic YXJhOnNlOmNyZXQ="), ("Bearer abc.def", "Bearer abc.def")]
)
def test_credentials_come_from_a_file_and_are_read_each_time(loopback, tmp_path, line, header):
    secret = tmp_path / "secret"
    reader = PrometheusReader(Source(f"{loopback.url}/metrics", credentials_file=str(secret)))
    loopback.pages["/metrics"] = PAGE
    reading = reader.read()
    assert reading.cause is Cause.NOT_ALLOWED
    assert loopback.seen == []
    secret.write_text(f"{line}\n")
    assert reader.read().cause is None
    assert loopback.seen == [("/metrics", header)]


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that signs itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    signed = (
        builder.not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "bmc.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize("text", [None, "no certificate"])
@pytest.mark.parametrize("answering", [True, False])
def test_a_file_of_authorities_that_cannot_be_read_is_a_wrong_setting(loopback, tmp_path, text, answering):
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    url = loopback.url.replace("http:", "https:") if answering else "https://127.0.0.1:1"
    reading = PrometheusReader(Source(f"{url}/metrics", ca_file=str(path))).read()
    assert reading.cause is Cause.UNTRUSTED
    assert "ca_file" in reading.detail
    assert "ca_file" in reading.remedy


@pytest.fixture
def deaf():
    """An address where nobody accepts: its queue is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname(), timeout=1):
            yield full.getsockname()


def named(monkeypatch, *addresses):
    """Let a host's name stand for these addresses."""
    infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_how: infos)


def test_all_addresses_of_a_host_share_one_time(monkeypatch, deaf):
    named(monkeypatch, deaf, deaf, deaf, deaf)
    began = time.monotonic()
    assert PrometheusReader(Source("http://node/metrics")).read().cause is Cause.TOO_SLOW
    assert time.monotonic() - began < 1.0  # each its own half second would be two


def test_an_address_that_is_silent_leaves_time_for_the_next(monkeypatch, deaf, loopback):
    loopback.pages["/metrics"] = PAGE
    named(monkeypatch, deaf, ("127.0.0.1", int(loopback.url.rpartition(":")[2])))
    assert PrometheusReader(Source("http://node/metrics"), seconds=2.0).read().samples[0].busy_permille == 10


def test_a_certificate_is_always_verified(certificate):
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    there = Loopback(f"https://127.0.0.1:{server.server_address[1]}", {"/metrics": PAGE})
    thread = serve(server, there)
    try:
        url = f"{there.url}/metrics"
        assert PrometheusReader(Source(url), seconds=5).read().cause is Cause.UNTRUSTED
        assert there.seen == []
        trusting = PrometheusReader(Source(url, ca_file=str(certificate)), seconds=5).read()
        assert trusting.samples[0].busy_permille == 10
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)

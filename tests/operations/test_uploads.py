"""What is too large is refused while it arrives, and what arrives too slowly is let go."""

from __future__ import annotations

import io
import socket
import time

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from bitgoeul.site import uploads
from installation import wait_for

MIB = 2**20


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(settings, "UPLOAD_LIMIT_BYTES", MIB)
    monkeypatch.setattr(settings, "UPLOAD_TOTAL_BYTES", 3 * MIB)


@pytest.mark.django_db
@pytest.mark.parametrize("size", [MIB + 1, 4 * MIB])
def test_a_file_or_a_request_beyond_the_limit_is_told_its_limit(small, size):
    answer = Client(HTTP_ACCEPT_LANGUAGE="en").post(
        "/accounts/login/", {"f": SimpleUploadedFile("f", b"x" * size)}
    )
    assert answer.status_code == 413
    assert "at most 1 MiB" in answer.content.decode()


@pytest.mark.django_db
def test_a_file_within_the_limit_goes_through(small):
    assert Client().post("/accounts/login/", {"f": SimpleUploadedFile("f", b"x" * MIB)}).status_code == 200


@pytest.mark.django_db
def test_too_many_parts_are_refused():
    files = {f"f{number}": SimpleUploadedFile("f", b"x") for number in range(30)}
    assert Client().post("/accounts/login/", files).status_code == 413
    assert Client().post("/accounts/login/", {f"f{number}": "x" for number in range(600)}).status_code == 413


def test_a_project_is_told_when_its_room_is_used_up(db, ara, project, monkeypatch):
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.kernel.errors import LimitReached
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.trials import facade as trials

    monkeypatch.setattr(settings, "PROJECT_STORAGE_BYTES", 10)
    ara = accounts.actor_for(user_id=ara.user_id)
    subject = trials.create_subject(actor=ara, id=new_id(), project_id=project.id, name="m", kind="onnx")
    add = {"actor": ara, "subject_id": subject.id, "filename": "m"}
    trials.add_version(id=new_id(), data=b"123456", **add)
    with pytest.raises(LimitReached) as refusal:
        trials.add_version(id=new_id(), data=b"78901", **add)
    assert refusal.value.field == "file"
    assert refusal.value.remedy


def test_a_body_that_trickles_is_let_go(monkeypatch):
    monkeypatch.setattr(uploads, "GRACE_SECONDS", -60.0)  # a minute ago its time was over
    with pytest.raises(TimeoutError):
        uploads.InTime(io.BytesIO(b"x" * 100)).read(100)


def test_a_body_that_arrives_is_whole():
    data = bytes(range(256)) * 4096
    body = uploads.InTime(io.BytesIO(data))
    assert body.read(10) + body.readline(5) + body.read() == data
    assert body.read() == b""


@pytest.mark.slow
def test_a_real_socket_hears_413_before_it_has_sent_all_of_it(stopped_installation):
    installation = stopped_installation.start(BITGOEUL_UPLOAD_LIMIT_MIB="1")
    port = installation.state()["port"]
    head = (
        f"POST /accounts/login/ HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {500 * MIB}\r\n"
        # With a form's cookie: without one the request is refused before its body matters.
        f"Cookie: csrftoken={'a' * 32}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=60) as visitor:
        visitor.sendall(head.encode())
        assert visitor.recv(1000).startswith(b"HTTP/1.1 413"), installation.log("web")[-2000:]
    # The thread that answered is free again for others.
    with installation.client() as client:
        began = time.monotonic()
        wait_for(lambda: client.get("/healthz").status_code == 200, 60)
        assert time.monotonic() - began < 60

from __future__ import annotations

import errno
import hashlib
import os
import resource
import subprocess
import sys
from datetime import timedelta

import pytest

from bitgoeul.content import facade as content
from bitgoeul.content import storage
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput

pytestmark = pytest.mark.django_db
DATA = b"measured"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def place(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "content"},
        },
    }
    return tmp_path / "content"


def put(data: bytes = DATA, limit_bytes: int = 100, media_type: str = "text/plain") -> content.BlobRef:
    return content.put_bytes(data, media_type=media_type, limit_bytes=limit_bytes)


def test_a_content_is_found_by_its_digest(place):
    assert put() == content.BlobRef(DIGEST, len(DATA), "text/plain")
    assert content.read(DIGEST, max_bytes=100) == DATA
    with content.open_blob(DIGEST) as file:
        assert file.read() == DATA
    assert content.path_of(DIGEST) == place / DIGEST[:2] / DIGEST[2:4] / DIGEST
    assert content.blobs([DIGEST, "0" * 64]) == {DIGEST: content.BlobRef(DIGEST, len(DATA), "text/plain")}


def test_the_same_bytes_again_are_the_same_content(place, tmp_path):
    first = put()
    path = tmp_path / "file"
    path.write_bytes(DATA)
    again = content.put_file(path, media_type="application/octet-stream", limit_bytes=100)
    assert again == first
    assert [each for each in place.rglob("*") if each.is_file()] == [content.path_of(DIGEST)]


def test_a_limit_stores_nothing(place):
    with pytest.raises(content.TooLarge):
        put(b"x" * 101)
    with pytest.raises(content.TooLarge):
        content.read(put().digest, max_bytes=3)
    assert content.blobs([hashlib.sha256(b"x" * 101).hexdigest()]) == {}
    assert list((place / "tmp").iterdir()) == []


def test_a_file_without_its_row_is_adopted(place):
    put()
    from bitgoeul.content.models import Blob

    Blob.objects.all().delete()
    with pytest.raises(content.NoSuchBlob):
        content.read(DIGEST, max_bytes=100)
    assert put().digest == DIGEST
    assert content.read(DIGEST, max_bytes=100) == DATA


@pytest.mark.parametrize("changed", [b"MEASURED", b"measure", b""])
def test_a_changed_file_is_noticed(changed):
    put()
    path = content.path_of(DIGEST)
    path.chmod(0o600)
    path.write_bytes(changed)
    with pytest.raises(content.Damaged):
        content.read(DIGEST, max_bytes=100)
    with pytest.raises(content.Damaged):
        content.verify_blob(DIGEST)
    report = content.verify()
    assert [finding.subject for finding in report.findings] == [DIGEST]


def test_a_cut_file_is_healed_by_the_next_put():
    put()
    path = content.path_of(DIGEST)
    path.chmod(0o600)
    path.write_bytes(b"cut")
    put()
    assert content.verify().ok


def test_a_lost_file_is_noticed():
    put()
    content.path_of(DIGEST).unlink()
    assert not content.verify().ok
    with pytest.raises(content.Damaged):
        content.open_blob(DIGEST)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, DIGEST[:-1], DIGEST + "/"])
def test_what_is_no_digest_never_becomes_a_path(digest):
    with pytest.raises(BadInput):
        storage.store().place_of(digest)
    with pytest.raises(content.NoSuchBlob):
        content.path_of(digest)


@pytest.mark.parametrize("media_type", ["", "text", "text/plain; charset=utf-8", "a/" + "b" * 120])
def test_a_wrong_media_type_is_refused(media_type):
    with pytest.raises(BadInput) as caught:
        put(media_type=media_type)
    assert caught.value.field == "media_type"


def test_a_full_disk_is_said_and_leaves_nothing(place, monkeypatch):
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(storage.os, "fsync", full)
        with pytest.raises(content.StorageFull) as caught:
            put()
    assert "disk is full" in str(caught.value)
    assert [each for each in place.rglob("*") if each.is_file()] == []
    assert put().digest == DIGEST


def test_a_real_refusal_of_the_kernel_is_said(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from bitgoeul.content.storage import BlobStorage\n"
        "from bitgoeul.content.types import StorageFull\n"
        "try: BlobStorage(location=sys.argv[1]).keep([b'x' * 5000], 10_000)\n"
        "except StorageFull: print('said')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "said\n", done.stderr


def test_a_promise_to_keep_is_never_shortened():
    put()
    later, sooner = now() + timedelta(days=2), now() + timedelta(days=1)
    assert content.retain(DIGEST, until=later).retain_until == later
    assert content.retain(DIGEST, until=sooner).retain_until == later
    with pytest.raises(content.NoSuchBlob):
        content.retain("0" * 64, until=later)

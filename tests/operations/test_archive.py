"""A backup that is not what was written is refused by the name of the part."""

from __future__ import annotations

import io
import tarfile

import pytest

from bitgoeul.kernel.canonical import sha256_hex
from bitgoeul.kernel.signing import FileKey
from bitgoeul.site.backup import archive, sealing

FACTS = {"database": {"vendor": "sqlite"}, "migrations": {}, "keys": "plain"}
BLOB = b"content " * 1000
PARTS = {
    "heads/audit.jsonl": b"{}\n",
    "keys/centre.key": b"private",
    "database.sqlite3": b"database " * 5000,
    f"content/{sha256_hex(BLOB)}": BLOB,
}


@pytest.fixture
def key(tmp_path):
    return FileKey.load_or_create(tmp_path / "keys")


@pytest.fixture
def written(tmp_path, key):
    """A small whole archive, signed."""

    def write(parts=PARTS, signer=key, facts=FACTS, name="b.tar"):
        path = tmp_path / name
        writer = archive.Writer(tarfile.open(path, "w"))  # noqa: SIM115
        writer.data("public-keys/centre.pub", key.public.pem.encode())
        for part, data in parts.items():
            writer.data(part, data)
        writer.close(facts, signer)
        return path

    return write


def test_a_whole_archive_is_whole_and_says_who_signed_it(written, key):
    found = archive.check(written(), trusted=key.public)
    assert found.signed_by == key.keyid
    assert {part.name for part in found.parts("")} == {*PARTS, "public-keys/centre.pub"}


@pytest.mark.parametrize("part", list(PARTS))
def test_one_changed_byte_of_any_part_is_refused_by_its_name(written, part):
    path = written()
    with tarfile.open(path) as tar:
        place = tar.getmember(part).offset_data
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(archive.BrokenArchive) as refusal:
        archive.check(path)
    assert refusal.value.part == part


def rewritten(path, change):
    """The archive with its members changed by ``change`` and no other word about it."""
    with tarfile.open(path) as tar:
        members = [(info.name, tar.extractfile(info).read()) for info in tar]
    with tarfile.open(path, "w") as tar:
        for name, data in change(members):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_a_part_taken_out_put_in_or_there_twice_is_refused(written):
    gone = rewritten(written(), lambda members: [each for each in members if each[0] != "database.sqlite3"])
    with pytest.raises(archive.BrokenArchive, match=r"database\.sqlite3: is missing"):
        archive.check(gone)
    more = rewritten(written(), lambda members: [("content/" + "a" * 64, b"x"), *members])
    with pytest.raises(archive.BrokenArchive, match="is not in the manifest"):
        archive.check(more)
    twice = rewritten(written(), lambda members: [members[1], *members])
    with pytest.raises(archive.BrokenArchive, match="is there twice"):
        archive.check(twice)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "keys/../../x", "content/short", "keys/.hidden"])
def test_a_name_that_would_leave_its_place_is_refused_before_anything_is_written(written, name):
    with pytest.raises(archive.BrokenArchive, match="does not belong into a backup"):
        archive.check(rewritten(written(), lambda members: [(name, b"x"), *members]))


def test_a_manifest_rewritten_to_fit_is_refused_by_its_signature(written, key, tmp_path):
    signature = signature_of(written(name="old.tar"))
    forged = rewritten(
        written(parts={**PARTS, "database.sqlite3": b"forged"}, signer=None),
        lambda members: [*members, ("manifest.sig", signature)],
    )
    with pytest.raises(archive.BrokenArchive, match=r"manifest\.sig: does not fit the manifest"):
        archive.check(forged)
    unsigned = written(signer=None)
    assert archive.check(unsigned).signed_by == ""
    with pytest.raises(archive.BrokenArchive, match="nobody signed this backup"):
        archive.check(unsigned, trusted=key.public)
    stranger = FileKey.load_or_create(tmp_path / "other")
    with pytest.raises(archive.BrokenArchive, match="is not that of the key asked for"):
        archive.check(written(), trusted=stranger.public)


def signature_of(path):
    with tarfile.open(path) as tar:
        return tar.extractfile("manifest.sig").read()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.97])
def test_an_archive_cut_anywhere_is_refused(written, share):
    path = written()
    data = path.read_bytes()
    with tarfile.open(path) as tar:
        end = tar.getmember("manifest.json").offset_data
    path.write_bytes(data[: int(end * share)])
    with pytest.raises(archive.BrokenArchive):
        archive.check(path)


def test_keys_are_opened_by_their_passphrase_and_by_no_other():
    sealed = sealing.seal(b"private key", b"correct horse battery")
    assert b"private key" not in sealed
    assert sealing.unseal(sealed, b"correct horse battery") == b"private key"
    for wrong, data in ((b"correct horse batterz", sealed), (b"correct horse battery", sealed[:-1] + b"x")):
        with pytest.raises(sealing.BadPassphrase):
            sealing.unseal(data, wrong)


def test_a_short_passphrase_is_refused(tmp_path):
    (tmp_path / "phrase").write_text("short\n")
    with pytest.raises(sealing.BadPassphrase, match="fewer than 12"):
        sealing.passphrase_in(tmp_path / "phrase")

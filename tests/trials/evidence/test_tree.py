"""An outsider can check offline that evidence is in the log and that the log has only grown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.kernel import merkle
from bitgoeul.kernel.heads import append_head, latest_signed_head
from bitgoeul.site.cli import cli
from bitgoeul.trials import evidence_log as log
from bitgoeul.trials import evidence_tree as tree
from bitgoeul.trials import facade as trials
from bitgoeul.trials import proofs
from bitgoeul.trials.models import EvidenceLog

pytestmark = pytest.mark.django_db


def files(client, tmp_path, view):
    """What an outsider has: the evidence, the key, and a proof."""
    (tmp_path / "e.json").write_bytes(client.get(f"/api/v1/evidence/{view.digest}/file").content)
    (tmp_path / "centre.pub").write_bytes(client.get("/keys/centre.pub").content)
    proof = client.get(f"/api/v1/evidence/{view.digest}/inclusion").json()
    (tmp_path / "p.json").write_text(json.dumps(proof))
    return proof


def run(*words):
    return CliRunner().invoke(cli, ["evidence", *map(str, words)])


def check(tmp_path, *, evidence="e.json", proof="p.json"):
    """`bitgoeul evidence verify --proof`: exit status and the check that refused."""
    done = run(
        "verify", tmp_path / evidence, "--key", tmp_path / "centre.pub", "--proof", tmp_path / proof, "--json"
    )
    last = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    return done.exit_code, last.get("failed")


def test_each_piece_of_evidence_is_proven_offline_under_one_head(client, issue, tmp_path):
    views = [issue(trials.Visibility.PUBLIC) for _ in range(5)]
    for view in views:
        proof = files(client, tmp_path, view)
        assert proof["head"]["sequence"] == 5
        assert check(tmp_path) == (0, None)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda proof: proof.update(sequence=1), "evidence"),
        (lambda proof: proof.update(evidence="ab" * 32), "evidence"),
        (lambda proof: proof["path"].pop(), "inclusion"),
        (lambda proof: proof["path"].append("00" * 32), "inclusion"),
        (lambda proof: proof["path"].reverse(), "inclusion"),
        (lambda proof: proof["head"].update(hash="00" * 32), "head"),
        (lambda proof: proof["head"].update(sequence=6), "head"),
        (lambda proof: proof["head"].update(at="2020-01-01T00:00:00.000000Z"), "head"),
        (lambda proof: proof["head"].update(chain="evidence"), "head"),
        (lambda proof: proof["head"].update(signature="AAAA"), "head"),
    ],
)
def test_a_changed_proof_is_refused_by_the_name_of_its_check(client, issue, tmp_path, change, refused):
    views = [issue(trials.Visibility.PUBLIC) for _ in range(5)]
    proof = files(client, tmp_path, views[1])
    change(proof)
    (tmp_path / "p.json").write_text(json.dumps(proof))
    assert check(tmp_path) == (1, refused)


def test_the_proof_of_other_evidence_is_refused(client, issue, tmp_path):
    first, second = issue(trials.Visibility.PUBLIC), issue(trials.Visibility.PUBLIC)
    files(client, tmp_path, first)
    other = client.get(f"/api/v1/evidence/{second.digest}/inclusion").json()
    (tmp_path / "p.json").write_text(json.dumps(other))
    assert check(tmp_path) == (1, "evidence")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "bitgoeul.evidence-inclusion/1"}', "not json"])
def test_what_is_no_proof_is_unreadable(client, issue, tmp_path, text):
    files(client, tmp_path, issue(trials.Visibility.PUBLIC))
    (tmp_path / "p.json").write_text(text)
    assert check(tmp_path)[0] == 2


def test_a_private_piece_has_a_proof_for_its_people_alone(client, issue):
    view = issue()
    private = client.get(f"/api/v1/evidence/{view.digest}/inclusion")
    unknown = client.get(f"/api/v1/evidence/{'ab' * 32}/inclusion")
    assert (private.status_code, private.json()["code"]) == (unknown.status_code, unknown.json()["code"])
    assert private.status_code == 404


def grown(client, issue, tmp_path, first, second):
    """A head kept after ``first`` positions and the proof after ``second``."""
    for _ in range(first):
        issue()
    (tmp_path / "head.json").write_text(json.dumps(client.get("/api/v1/evidence-log/head").json()))
    (tmp_path / "centre.pub").write_bytes(client.get("/keys/centre.pub").content)
    for _ in range(second - first):
        issue()
    proof = client.get(f"/api/v1/evidence-log/consistency?first={first}").json()
    (tmp_path / "c.json").write_text(json.dumps(proof))
    return proof


def check_log(tmp_path):
    key, known = tmp_path / "centre.pub", tmp_path / "head.json"
    done = run("verify-log", tmp_path / "c.json", "--key", key, "--known", known, "--json")
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])["failed"] if done.stdout else None


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (3, 7), (4, 8), (6, 9)])
def test_a_log_proves_that_it_has_only_grown(client, issue, tmp_path, first, second):
    grown(client, issue, tmp_path, first, second)
    assert check_log(tmp_path) == (0, None)


def test_a_log_that_was_written_anew_cannot_prove_it(client, issue, tmp_path, settings):
    grown(client, issue, tmp_path, 3, 5)
    leaves = [merkle.leaf_hash(b"another history") for _ in range(5)]
    other = merkle.over(leaves)
    append_head(tmp_path / "forged.jsonl", keys=Path(settings.KEYS), chain=proofs.TREE, sequence=5,
                hash=merkle.root(other, 5).hex())  # fmt: skip
    head = latest_signed_head(tmp_path / "forged.jsonl")
    kept = json.loads((tmp_path / "head.json").read_text())
    path = [each.hex() for each in merkle.consistency(other, 3, 5)]
    honest_start = proofs.Consistency(3, kept["hash"], tuple(path), head)
    (tmp_path / "c.json").write_text(json.dumps(honest_start.to_json()))
    assert check_log(tmp_path) == (1, "consistency")
    own_start = proofs.Consistency(3, merkle.root(other, 3).hex(), tuple(path), head)
    (tmp_path / "c.json").write_text(json.dumps(own_start.to_json()))
    assert check_log(tmp_path) == (1, "known")


def test_without_a_head_of_ones_own_a_proof_is_not_checked(client, issue, tmp_path):
    grown(client, issue, tmp_path, 1, 2)
    done = run("verify-log", tmp_path / "c.json", "--key", tmp_path / "centre.pub")
    assert (done.exit_code, "--known" in done.output) == (2, True)


def test_a_database_behind_its_signed_head_is_refused_by_name(client, issue, settings):
    view = issue(trials.Visibility.PUBLIC)
    append_head(tree.tree_path(), keys=Path(settings.KEYS), chain=proofs.TREE, sequence=7, hash="00" * 32)
    for path in ("evidence-log/head", "evidence-log/consistency?first=1", f"evidence/{view.digest}/inclusion"):
        answer = client.get(f"/api/v1/{path}", headers={"accept-language": "en"})
        assert (answer.status_code, "older one" in answer.json()["message"]) == (409, True)


def test_after_a_change_of_key_the_newest_head_is_signed_anew(client, issue, settings, tmp_path):
    grown(client, issue, tmp_path, 2, 2)
    (tmp_path / "old.pub").write_bytes((tmp_path / "centre.pub").read_bytes())
    for name in ("centre.pem", "centre.pub"):
        (tmp_path / "keys" / name).unlink(missing_ok=True)
    for path in (tmp_path / "keys").glob("centre*"):
        path.unlink()
    (tmp_path / "centre.pub").write_bytes(client.get("/keys/centre.pub").content)
    assert (tmp_path / "centre.pub").read_bytes() != (tmp_path / "old.pub").read_bytes()
    (tmp_path / "c.json").write_text(json.dumps(client.get("/api/v1/evidence-log/consistency?first=2").json()))
    assert check_log(tmp_path) == (1, "head")  # the kept head is under the earlier key, which was not given
    keys = ("--key", tmp_path / "centre.pub", "--key", tmp_path / "old.pub")
    done = run("verify-log", tmp_path / "c.json", *keys, "--known", tmp_path / "head.json")
    assert done.exit_code == 0, done.output


def test_a_head_is_written_once_and_only_grows(issue):
    for _ in range(3):
        issue()
        assert tree.write_tree_head() == tree.write_tree_head()
    lines = [json.loads(line)["sequence"] for line in tree.tree_path().read_text().splitlines()]
    assert lines == [1, 2, 3]


@pytest.mark.parametrize("first", ["0", "6", "x", "-1"])
def test_a_size_that_the_log_never_had_is_refused(client, issue, first):
    issue()
    assert client.get(f"/api/v1/evidence-log/consistency?first={first}").status_code in (400, 422)


def test_an_empty_log_has_no_head(client):
    assert client.get("/api/v1/evidence-log/head").status_code == 404


def test_a_head_that_the_log_no_longer_has_is_found(issue):
    from bitgoeul.audit.append_only import append_only_tables

    assert "trials_evidencelog" in append_only_tables()
    for _ in range(3):
        issue()
    tree.write_tree_head()
    assert log.head_findings() == []
    text = tree.tree_path().read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    lines[-1]["hash"] = "00" * 32
    tree.tree_path().write_text(json.dumps(lines[-1]) + "\n")
    assert [finding.check for finding in log.head_findings()] == ["heads"]


def test_chunks_that_are_full_are_read_once_and_give_the_same_root(monkeypatch, issue):
    monkeypatch.setattr(tree, "CHUNK", 4)
    for _ in range(11):
        issue()
    leaves = [merkle.leaf_hash(row.encode()) for row in
              EvidenceLog.objects.order_by("sequence").values_list("hash", flat=True)]  # fmt: skip
    plain = merkle.over(leaves)
    for size in range(1, 12):
        parts = tree._Tree(size)
        assert merkle.root(parts.subtree, size) == merkle.root(plain, size)
        for index in range(size):
            assert merkle.inclusion(parts.subtree, index, size) == merkle.inclusion(plain, index, size)
    with CaptureQueriesContext(connection) as asked:
        merkle.inclusion(tree._Tree(11).subtree, 1, 11)
    assert len(asked) <= 3, "ends of the full chunks, the leaf's chunk, the chunk that is not full"

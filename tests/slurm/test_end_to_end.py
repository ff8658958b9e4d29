"""From a grant to a charge on a real Slurm: cluster described, accounts made, a job run, followed and settled."""

from __future__ import annotations

import json
import pwd
import time
from datetime import timedelta

import pytest
from click.testing import CliRunner

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.text import Label

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.django_db]

HOUR_MS = 3_600_000
WAIT_SECONDS = 90.0


@pytest.fixture(autouse=True)
def home(settings, tmp_path, monkeypatch):
    from bitgoeul.compute import engines

    settings.ENGINE_HOME = tmp_path / "engine"
    files = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": tmp_path / "content"},
    }
    settings.STORAGES = {**settings.STORAGES, "default": files}
    monkeypatch.setattr(engines, "_engines", {})


@pytest.fixture
def owner(ara, project):
    from bitgoeul.accounts.facade import actor_for

    return actor_for(user_id=ara.user_id)


@pytest.fixture
def described(tmp_path, cluster_config):
    """The file that describes the cluster; Ara has a login there."""
    config = {**cluster_config, "account": "", "logins": {"ara@example.kr": "games"}}
    units = {"h100": "gpu_h100_ms", "npu-atom": "npu_atom_ms", "npu-rngd": "npu_rngd_ms"}
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"title": "Testbed", "engine": "slurm", "config": config, "device_units": units}))
    return file


@pytest.fixture
def bitgoeul():
    """The command line, in this process and its database."""
    from bitgoeul.site.cli import cli

    return lambda *words: CliRunner().invoke(cli, words, catch_exceptions=True)


def grant(project, unit, amount):
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.resources import facade as resources

    system, names = Actor.system("test"), Label("시험", "test")
    resources.define_resource(
        actor=system, code=f"test-{unit.replace('_', '-')}", category=resources.Category.COMPUTE, unit=unit,
        label=names, provider=names, location=names,
    )  # fmt: skip
    return resources.grant(
        actor=system, id=new_id(), project_id=project.id, resource_code=f"test-{unit.replace('_', '-')}",
        amount=amount, starts_at=now() - timedelta(minutes=1), ends_at=now() + timedelta(days=30),
        origin=resources.Origin("test", "1", "test"),
    )  # fmt: skip


def test_a_grant_becomes_an_account_and_a_job_on_it_is_charged(bitgoeul, described, owner, project, testbed):
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.compute import facade as compute
    from bitgoeul.compute.models import Cluster
    from bitgoeul.resources import facade as resources

    grant(project, "core_ms", 2 * HOUR_MS)
    npus = grant(project, "npu_atom_ms", HOUR_MS)
    Cluster.objects.update(enabled=False)

    added = bitgoeul("cluster", "add", "centre", str(described), "--json")
    assert added.exit_code == 0, added.output
    assert json.loads(added.stdout)["cores"] > 0
    assert bitgoeul("cluster", "add", "centre", str(described)).exit_code == 2

    account = f"bg-{project.number.lower()}"
    dry = bitgoeul("cluster", "provision", "centre", "--json")
    assert dry.exit_code == 1
    rows = [json.loads(line) for line in dry.stdout.splitlines()]
    assert {row["what"] for row in rows[:-1] if row["account"] == account} == {"account", "user"}
    assert account not in testbed.must("sacctmgr", "-n", "-P", "show", "account", "format=Account")
    assert bitgoeul("cluster", "provision", "centre", "--apply").exit_code == 0
    assert bitgoeul("cluster", "provision", "centre").exit_code == 0
    shown = testbed.must("sacctmgr", "-n", "-P", "show", "assoc", f"account={account}", "format=User,GrpTRESMins")
    assert "|cpu=120,gres/gpu:h100=0,gres/npu:atom=60,gres/npu:rngd=0" in shown
    assert {"games", "root"} <= {line.split("|")[0] for line in shown.splitlines()}

    wanted = compute.JobRequest(
        argv=("python", "-c", "import time; time.sleep(1)"), env={}, inputs={}, outputs=(),
        limits=compute.Limits(cores=2, memory_mib=256, wall_seconds=60, processes=16, file_mib=16),
        devices={"npu-atom": 2},
    )  # fmt: skip
    job = compute.submit_job(actor=owner, id=new_id(), project_id=project.id, name="npu", request=wanted)
    limit = time.monotonic() + WAIT_SECONDS
    while not (seen := compute.job(actor=owner, job_id=job.id)).finished:
        compute.follow_once()
        assert time.monotonic() < limit, seen
        time.sleep(0.2)
    assert seen.state == "SUCCEEDED", seen
    after = {one.id: one for one in resources.allocations(project_ids=[project.id])[project.id]}[npus.id]
    assert after.held == 0
    assert 2_000 <= after.used <= 2 * 4_000, "two NPUs for a second and what the wrapper adds"
    assert after.used == 2 * seen.measured["wall_ms"]

    # Plain sbatch on the same account: metered from the accounting, and our own job is not charged again.
    entry = pwd.getpwnam("games")
    testbed.run(
        "sbatch", "-A", account, "-p", "npu", "--gres=npu:atom:1", "-o", "/dev/null", "--wrap", "sleep 3",
        f"--comment=bitgoeul:{job.id}", f"--job-name=bg-{job.id}", user=entry.pw_uid, group=entry.pw_gid,
        extra_groups=[], cwd="/tmp",
    )  # fmt: skip
    testbed.wait("the accounting has both", lambda: "COMPLETED" in testbed.must(
        "sacct", "-n", "-X", "-P", "-u", "games", "-o", "State"))  # fmt: skip
    pulled = bitgoeul("usage", "pull", "centre", "--json")
    assert pulled.exit_code == 0, pulled.output
    told = json.loads(pulled.stdout)
    assert (told["new"], told["left_out"]["own_job"]) == (1, 1), told
    again = json.loads(bitgoeul("usage", "pull", "centre", "--json").stdout)
    assert (again["new"], again["changed"]) == (0, 0)
    later = {one.id: one for one in resources.allocations(project_ids=[project.id])[project.id]}[npus.id]
    assert later.used - after.used in (3_000, 4_000), (told, "one NPU for three seconds, as Slurm counted them")

    # The books moved, the limit did not: what was used and what is left are the same whole.
    assert compute.drift("centre") == []
    resources.recall(actor=Actor.system("test"), allocation_id=npus.id, reason="test")
    (one,) = [each for each in compute.provision("centre", actor=Actor.system("test")) if each.account == account]
    assert one.what == "GrpTRESMins"
    assert "gres/npu:atom=0" in one.wanted


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "not a JSON file"),
        ("[]", "one JSON object"),
        ('{"title": "x", "engine": "slurm"}', "config"),
        ('{"title": "x", "engine": "slurm", "config": {}, "colour": 1}', "colour"),
        ('{"title": "x", "engine": "nonsense", "config": {}}', "nonsense"),
        ('{"title": "x", "engine": "slurm", "config": {"partitions": {"h100": "gpu"}}}', "partitions"),
        (
            '{"title": "x", "engine": "slurm", "config": {"partitions": {"core": "x"}, "commands": "/nowhere"}}',
            "squeue",
        ),
    ],
)
def test_a_wrong_description_is_refused_with_its_field(bitgoeul, tmp_path, content, named):
    file = tmp_path / "wrong.json"
    file.write_text(content)
    done = bitgoeul("cluster", "add", "centre", str(file))
    assert done.exit_code != 0
    assert named in done.output + str(done.exception)

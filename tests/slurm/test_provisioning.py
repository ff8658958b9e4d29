"""Accounts and limits at a real Slurm: what is granted is what the scheduler allows, also to plain sbatch."""

from __future__ import annotations

import pwd
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import AccountWish, Ending, EngineRefused, JobSpec, Limits, Provisioner
from bitgoeul.kernel.ids import new_id

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

MINUTE_MS = 60_000
USER = "games"  # any user of the system that is neither root nor Slurm's own
WISH = AccountWish("PRJ-00001", {"core": 100 * MINUTE_MS, "npu-atom": 6 * MINUTE_MS}, (USER, "root"))


@pytest.fixture
def engine(tmp_path, cluster_config, testbed) -> Iterator[Any]:
    made = make_engine("slurm", tmp_path / "engine", {**cluster_config, "account": ""})
    assert isinstance(made, Provisioner)
    yield made
    testbed.must("scancel", "--account=bg-prj-00001")
    testbed.wait("its jobs are gone", lambda: not testbed.must("squeue", "-h", "-A", "bg-prj-00001"))
    made.mend([])


def submit(testbed, *options: str, user: str = USER, script: str = "sleep 60") -> tuple[int, str]:
    """Plain sbatch by a person at the cluster; its exit status and what it said."""
    entry = pwd.getpwnam(user)
    command = ("sbatch", "--parsable", "-A", "bg-prj-00001", "-o", "/dev/null", *options, "--wrap", script)
    done = testbed.run(*command, user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], cwd="/tmp")
    return done.returncode, (done.stdout or done.stderr).strip()


def whats(drift) -> list[tuple[str, str]]:
    return [(each.account, each.what) for each in drift]


def limit_of(testbed, name="bg-prj-00001") -> str:
    return testbed.must(
        "sacctmgr", "-n", "-P", "show", "assoc", f"account={name}", "user=", "format=GrpTRESMins"
    ).strip()


def test_a_dry_run_says_what_differs_and_changes_nothing_then_it_is_mended_once(engine, testbed):
    first = engine.drift([WISH])
    assert ("bg-prj-00001", "account") in whats(first)
    assert {("bg-prj-00001", "user")} < set(whats(first))
    assert all(each.mendable for each in first), "the testbed's slurm.conf is as it should be"
    assert "bg-prj-00001" not in testbed.must("sacctmgr", "-n", "-P", "show", "account", "format=Account")
    assert whats(engine.mend([WISH])) == whats(first)
    assert engine.drift([WISH]) == []
    assert engine.mend([WISH]) == []
    assert limit_of(testbed) == "cpu=100,gres/gpu:h100=0,gres/npu:atom=6,gres/npu:rngd=0"


def test_what_somebody_changed_is_seen_and_set_back(engine, testbed):
    engine.mend([WISH])
    testbed.must("sacctmgr", "-i", "modify", "account", "bg-prj-00001", "set", "GrpTRESMins=cpu=999999")
    testbed.must("sacctmgr", "-i", "add", "user", "daemon", "account=bg-prj-00001")
    assert whats(engine.drift([WISH])) == [("bg-prj-00001", "GrpTRESMins"), ("bg-prj-00001", "user")]
    engine.mend([WISH])
    assert engine.drift([WISH]) == []


def test_more_granted_is_more_allowed_and_an_ended_project_may_start_nothing(engine, testbed):
    engine.mend([WISH])
    more = replace(WISH, amounts={**WISH.amounts, "core": 200 * MINUTE_MS})
    engine.mend([more])
    assert limit_of(testbed).startswith("cpu=200,")
    engine.mend([replace(WISH, open=False)])
    assert submit(testbed)[0] != 0
    status, said = submit(testbed, user="root")
    assert (status, engine.drift([replace(WISH, open=False)])) == (1, []), said
    engine.mend([WISH])
    assert submit(testbed)[0] == 0


def test_what_the_platform_does_not_own_is_left_alone(engine, testbed):
    testbed.must("sacctmgr", "-i", "add", "account", "bg-prj-00077", "organization=institute")
    theirs = replace(WISH, project="PRJ-00077")
    (one,) = [each for each in engine.mend([WISH, theirs]) if each.account == "bg-prj-00077"]
    assert not one.mendable
    accounts = testbed.must("sacctmgr", "-n", "-P", "show", "account", "format=Account,Organization")
    assert "bg-prj-00077|institute" in accounts
    assert "conformance|conformance" in accounts
    testbed.must("sacctmgr", "-i", "delete", "account", "bg-prj-00077")


def test_a_user_is_taken_out_of_the_default_account(engine, testbed):
    engine.mend([WISH])
    other = AccountWish("PRJ-00002", {"core": MINUTE_MS}, (USER,))
    engine.mend([WISH, other])
    testbed.must("sacctmgr", "-i", "modify", "user", USER, "set", "defaultaccount=bg-prj-00001")
    done = engine.mend([replace(WISH, logins=("root",)), other])
    assert ("bg-prj-00001", "defaultaccount") in whats(done)
    assert engine.drift([replace(WISH, logins=("root",)), other]) == []
    # And out of the only one there is.
    engine.mend([replace(WISH, logins=("root",)), replace(other, logins=())])
    assert engine.drift([replace(WISH, logins=("root",)), replace(other, logins=())]) == []


def test_plain_sbatch_stops_at_the_limit_of_the_grant(engine, testbed):
    engine.mend([WISH])
    npus = ("-p", "npu", "--gres=npu:atom:2", "--mem=100")
    status, said = submit(testbed, *npus, "-t", "2")  # 2 × 2 minutes of 6
    assert status == 0, said
    status, said = submit(testbed, *npus, "-t", "4")  # 8 would never fit
    assert status == 1
    assert "AssocGrp" in said or "policy" in said, said
    time.sleep(2)
    status, said = submit(testbed, *npus, "-t", "2")  # fits alone, not beside the first: it waits
    waiting = said
    assert status == 0, said
    time.sleep(3)
    states = testbed.must("squeue", "-h", "-A", "bg-prj-00001", "-o", "%A %T %r").splitlines()
    assert f"{waiting} PENDING AssocGrpGRESMinutes" in states
    left = engine.mend([replace(WISH, logins=("root",))])
    assert [(each.what, each.mendable) for each in left] == [("user", False)], "a user with jobs stays for now"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"devices": {"h100": 9}}, "devices"),
        ({"devices": {"h100": 1}}, "limit"),
        ({"project": "PRJ-09999"}, "account"),
        ({"limits": Limits(1, 256, 7_200, 16, 16)}, "limit"),
        ({"limits": Limits(1, 256, 200_000, 16, 16)}, "wall_seconds"),
    ],
    ids=["nine of eight", "not granted", "wrong account", "more than is left", "over the partition's time"],
)
def test_what_cannot_be_is_refused_at_submit_in_our_words(engine, changes, field):
    plenty = {**WISH.amounts, "core": 10**6 * MINUTE_MS}
    engine.mend([replace(WISH, amounts=plenty) if field == "wall_seconds" else WISH])
    values: dict[str, Any] = {
        "job_id": new_id(), "name": "refused", "argv": ("true",), "env": {}, "inputs": {}, "outputs": (),
        "limits": Limits(1, 256, 60, 16, 16), "devices": {}, "project": WISH.project,
    }  # fmt: skip
    spec = JobSpec(**{**values, **changes})
    with pytest.raises(EngineRefused) as refused:
        engine.submit(spec)
    assert refused.value.field == field, refused.value
    assert "error" not in str(refused.value), "the words are ours"
    assert list(engine.jobs.iterdir()) == []


def test_a_job_of_the_portal_runs_on_the_account_of_its_project_and_knows_its_npus(engine, testbed):
    engine.mend([WISH])
    code = "import os; print(os.environ['NPU_VISIBLE_DEVICES'], os.environ['BITGOEUL_DEVICE_NPU_ATOM'])"
    spec = JobSpec(
        job_id=new_id(), name="npu", argv=("python", "-c", code), env={}, inputs={}, outputs=(),
        limits=Limits(2, 256, 60, 16, 16), devices={"npu-atom": 2}, project=WISH.project,
    )  # fmt: skip
    handle = engine.submit(spec)
    limit = time.monotonic() + 60
    while (seen := engine.poll([handle])[0]).ending is None:
        assert time.monotonic() < limit, seen
        time.sleep(0.2)
    assert seen.ending is Ending.COMPLETED, engine.read_log(handle, "stderr", 0, 1_000)
    numbers = engine.read_log(handle, "stdout", 0, 100).data.decode().split()
    assert numbers[0] == numbers[1]
    assert len(numbers[0].split(",")) == 2
    (record,) = engine.usage([handle])
    assert (record.cores, record.device_ms["npu-atom"]) == (2, 2 * record.wall_ms)
    asked = ("sacct", "-n", "-X", "-P", f"--name=bg-{spec.job_id}", "-o", "Account,AllocTRES,Comment")
    testbed.wait("the accounting has it", lambda: "npu" in testbed.must(*asked))
    told = testbed.must(*asked).strip()
    assert told.startswith("bg-prj-00001|")
    assert "gres/npu:atom=2" in told
    assert told.endswith(f"|bitgoeul:{spec.job_id}")

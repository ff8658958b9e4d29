"""The pure parts of isolation: where cgroups are, what is written into them, what a container is called with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bitgoeul.compute.isolation import THREATS, Held
from bitgoeul.compute.ports import EngineRefused, JobSpec, Limits, Tier
from bitgoeul.engines.local import isolation_of, make
from bitgoeul.engines.local.isolation import bubblewrap, cgroups, choose, landlock, places
from bitgoeul.engines.local.isolation.cgroups import Cgroup, Plan
from bitgoeul.engines.local.isolation.enclosure import Isolation
from bitgoeul.engines.local.isolation.seccomp import NotHere
from bitgoeul.engines.local.slots import LocalConfig
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.ids import new_id

LIMITS = Limits(cores=2, memory_mib=100, wall_seconds=10, processes=4, file_mib=8)
MIB = 2**20

# As a systemd host of version 2 shows them for a service with Delegate=yes and a subgroup.
CGROUP_V2 = "0::/system.slice/bitgoeul.service/platform\n"
MOUNTS_V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
# As a container with version 1 shows them: combined controllers, and a mount whose root is not the hierarchy's.
CGROUP_V1 = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n2:pids:/docker/abc/sub\n1:name=systemd:/\n0::/\n"
MOUNTS_V1 = (
    "41 40 0:37 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    "42 40 0:38 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
    "43 40 0:39 /docker/abc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n"
    "44 40 0:40 / /proc rw - proc proc rw\n"
)


def test_our_own_cgroup_is_found_in_both_versions():
    own, mounted = cgroups.own_paths(CGROUP_V2), cgroups.mounts(MOUNTS_V2)
    place = Path("/sys/fs/cgroup/system.slice/bitgoeul.service/platform")
    assert cgroups.base_of("", own, mounted) == place
    own, mounted = cgroups.own_paths(CGROUP_V1), cgroups.mounts(MOUNTS_V1)
    assert cgroups.base_of("memory", own, mounted) == Path("/sys/fs/cgroup/memory")
    assert cgroups.base_of("cpuacct", own, mounted) == Path("/sys/fs/cgroup/cpu,cpuacct")
    assert cgroups.base_of("pids", own, mounted) == Path("/sys/fs/cgroup/pids/sub")
    assert cgroups.base_of("freezer", own, mounted) is None


def v2_tree(root: Path, controllers: str = "cpu memory pids") -> Path:
    """A service's cgroup as recorded from its documentation: a leaf with the platform, delegated above."""
    leaf = root / "service" / "platform"
    leaf.mkdir(parents=True)
    for place in (root / "service", leaf):
        (place / "cgroup.controllers").write_text(controllers + "\n")
        (place / "cgroup.subtree_control").write_text("")
    return leaf


def test_version_2_tries_our_own_place_and_the_one_above(tmp_path):
    leaf = v2_tree(tmp_path)
    own, mounted = {"": "/service/platform"}, {"": (str(tmp_path), "/")}
    assert [plan.bases[""] for plan in cgroups._plans_v2(own, mounted)] == [str(leaf), str(leaf.parent)]
    cgroups.enable_v2(leaf.parent)
    assert (leaf.parent / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"


def test_version_2_without_its_controllers_offers_nothing(tmp_path):
    v2_tree(tmp_path, "hugetlb")
    assert list(cgroups._plans_v2({"": "/service/platform"}, {"": (str(tmp_path), "/")})) == []


def test_version_2_gets_its_limits_and_is_read(tmp_path):
    cgroup = Plan(2, {"": str(tmp_path)}).of("job")
    cgroup.make(LIMITS, 516, quota=True)
    written = {path.name: path.read_text() for path in (tmp_path / "bitgoeul-job").iterdir()}
    assert written == {
        "memory.max": str(100 * MIB), "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "516",
        "cpu.max": "200000 100000",
    }  # fmt: skip
    one = tmp_path / "bitgoeul-job"
    (one / "cpu.stat").write_text("usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n")
    (one / "memory.peak").write_text("104857600\n")
    (one / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n")
    assert (cgroup.cpu_ms(), cgroup.memory_kib_max(), cgroup.oom_kills()) == (1234, 102400, 3)


def test_a_kernel_without_a_counter_is_not_zero(tmp_path):
    cgroup = Plan(2, {"": str(tmp_path)}).of("job")
    assert (cgroup.cpu_ms(), cgroup.memory_kib_max()) == (None, None)


def test_version_2_is_ended_by_one_word(tmp_path):
    one = tmp_path / "bitgoeul-job"
    one.mkdir()
    (one / "cgroup.kill").write_text("")
    Plan(2, {"": str(tmp_path)}).of("job").kill()
    assert (one / "cgroup.kill").read_text() == "1"


def test_version_1_is_limited_and_read_by_controller(tmp_path):
    bases = {name: str(tmp_path / name) for name in ("memory", "pids", "freezer", "cpu", "cpuacct")}
    cgroup = Plan(1, bases).of("job")
    lines = [
        (str(path.relative_to(tmp_path)), value)
        for path, value, _ in cgroups.settings(cgroup, LIMITS, 9, quota=True)
    ]
    assert lines == [
        ("memory/bitgoeul-job/memory.limit_in_bytes", str(100 * MIB)),
        ("memory/bitgoeul-job/memory.memsw.limit_in_bytes", str(100 * MIB)),
        ("pids/bitgoeul-job/pids.max", "9"),
        ("cpu/bitgoeul-job/cpu.cfs_period_us", "100000"),
        ("cpu/bitgoeul-job/cpu.cfs_quota_us", "200000"),
    ]
    for base in bases.values():
        (Path(base) / "bitgoeul-job").mkdir(parents=True)
    (tmp_path / "cpuacct/bitgoeul-job/cpuacct.usage").write_text("1234567890\n")
    (tmp_path / "memory/bitgoeul-job/memory.max_usage_in_bytes").write_text("2048\n")
    (tmp_path / "memory/bitgoeul-job/memory.oom_control").write_text(
        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"
    )
    assert (cgroup.cpu_ms(), cgroup.memory_kib_max(), cgroup.oom_kills()) == (1234, 2, 2)


def test_an_exclusive_job_has_no_quota():
    cgroup = Cgroup(2, {"": Path("/c")})
    assert "cpu.max" not in {path.name for path, _, _ in cgroups.settings(cgroup, LIMITS, 9, quota=False)}


def test_a_cgroup_that_cannot_be_made_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroups, "_read", lambda path: "")
    with pytest.raises(NotHere, match="no memory and pids controllers"):
        cgroups.find("x")


def test_the_container_sees_nothing_that_is_not_named(tmp_path):
    words = bubblewrap.command(
        "bwrap", disable_userns=True, work=tmp_path / "work", tmp=tmp_path / "tmp", status_fd=5, filter_fd=6,
        argv=["program", "--flag"],
    )  # fmt: skip
    assert words[-3:] == ["--", "program", "--flag"]
    writable = [words[at + 1] for at, word in enumerate(words) if word == "--bind"]
    assert writable == [str(tmp_path / "work"), str(tmp_path / "tmp")]
    for option in ("--unshare-net", "--unshare-pid", "--disable-userns", "--die-with-parent", "--new-session"):
        assert option in words
    assert words[words.index("--seccomp") + 1] == "6"
    assert "--disable-userns" not in bubblewrap.command(
        "bwrap", disable_userns=False, work=tmp_path, tmp=tmp_path, status_fd=5, filter_fd=6, argv=["x"]
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{ "child-pid": 7, "net-namespace": 1 }\n{ "exit-code": 3 }\n', {"child-pid": 7, "exit-code": 3}),
        ('{ "child-pid": 7 }\n{ "exit-', {"child-pid": 7}),
        ("", {}),
    ],
)
def test_what_bubblewrap_tells_is_read(text, told):
    found = bubblewrap.read_status(text)
    assert {name: found[name] for name in told} == told
    assert ("exit-code" in found) == ("exit-code" in told)


@pytest.mark.parametrize(
    ("code", "status"), [(0, 0), (3, 3), (128, 128), (139, -11), (137, -9), (192, -64), (193, 193)]
)
def test_a_status_above_128_is_a_signal(code, status):
    assert bubblewrap.program_status(code) == status


@pytest.mark.parametrize(("abi", "length"), [(1, 8), (3, 8), (4, 16), (5, 16), (6, 24), (9, 24)])
def test_a_ruleset_asks_only_for_what_the_kernel_knows(abi, length):
    told = landlock.attributes(abi)
    assert len(told) == length
    assert int.from_bytes(told[:8], "little") == landlock.FILE_RIGHTS[min(abi, 5)]


def test_a_home_within_what_every_job_reads_gets_no_closed_tier(tmp_path, monkeypatch):
    assert places.holds(tmp_path) is None
    monkeypatch.setattr(places, "SYSTEM", (*places.SYSTEM, str(tmp_path)))
    found = choose.find(tmp_path / "engine", "auto")
    assert found.tier is Tier.LIMITS
    assert str(tmp_path) in found.why_not["container"]
    assert str(tmp_path) in found.why_not["landlock"]


def test_without_bubblewrap_the_next_tier_is_taken_and_the_reason_told(tmp_path, monkeypatch):
    def gone():
        raise NotHere("bubblewrap is not installed")

    monkeypatch.setattr(bubblewrap, "find", gone)
    monkeypatch.setattr(choose, "probe", lambda home, isolation: None)
    found = choose.find(tmp_path, "auto")
    assert (found.tier, found.why_not) == (Tier.LANDLOCK, {"container": "bubblewrap is not installed"})


def test_a_tier_that_gives_way_is_not_taken(tmp_path):
    """The weakest tier, passed off as more: the trial job finds it out."""
    with pytest.raises(NotHere, match="a file could be written in the home"):
        choose.probe(tmp_path, Isolation(Tier.LIMITS))


def test_below_the_least_tier_a_job_is_refused_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(choose, "find", lambda home, wanted: Isolation(why_not={"container": "no bubblewrap"}))
    monkeypatch.setattr(choose, "_known", {})
    engine = make(tmp_path, {"isolation_min": "container"})
    spec = JobSpec(new_id(), "j", ("true",), {}, {}, (), Limits(1, 64, 5, 4, 1), {})
    with pytest.raises(EngineRefused, match="no bubblewrap") as caught:
        engine.submit(spec)
    assert caught.value.field == "isolation"
    assert isolation_of(tmp_path, {"isolation_min": "landlock"})[1] is False
    assert isolation_of(tmp_path, {"isolation": "container"})[1] is False
    assert isolation_of(tmp_path, {"isolation": "limits"})[1] is True


def test_the_installation_sets_isolation_and_a_cluster_goes_before(monkeypatch):
    monkeypatch.setenv("BITGOEUL_LOCAL_ISOLATION", "landlock")
    monkeypatch.setenv("BITGOEUL_LOCAL_ISOLATION_MIN", "landlock")
    read = LocalConfig.read({})
    assert (read.isolation, read.isolation_min) == ("landlock", Tier.LANDLOCK)
    assert LocalConfig.read({"isolation": "limits"}).isolation == "limits"
    with pytest.raises(BadInput, match="auto, limits, landlock, container"):
        LocalConfig.read({"isolation": "perfect"})


def test_a_finding_survives_its_record(tmp_path):
    made = Isolation(Tier.CONTAINER, b"\x01\x02", "/usr/bin/bwrap", True, Plan(1, {"memory": "/m"}), {"a": "b"})
    assert Isolation.from_json(made.to_json()) == made


def test_a_finding_is_kept_for_the_next_process_and_not_for_the_next_start(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(choose, "_known", {})
    monkeypatch.setattr(choose, "find", lambda home, wanted: calls.append(wanted) or Isolation())
    monkeypatch.setenv("BITGOEUL_SUPERVISOR", "1:1")
    choose.best(tmp_path, "auto")
    choose._known.clear()  # as another process
    choose.best(tmp_path, "auto")
    assert calls == ["auto"]
    choose._known.clear()
    monkeypatch.setenv("BITGOEUL_SUPERVISOR", "2:1")
    choose.best(tmp_path, "auto")
    assert calls == ["auto", "auto"]


def test_each_tier_holds_what_the_one_before_holds():
    weight = {Held.NO: 0, Held.ENDED: 1, Held.KERNEL: 2, Held.CGROUP: 2, Held.YES: 3}
    for threat in THREATS:
        held = [weight[threat.held(tier)] for tier in Tier]
        assert held == sorted(held), threat.code


def test_the_readable_places_hold_no_other_and_this_python():
    found = places.code()
    assert not any(a != b and a.is_relative_to(b) for a in found for b in found)
    assert places.holds(Path(os.__file__)) is not None

"""Each attack at each tier: what the table says is blocked is blocked, and what it says is not, is not.

The table is ``compute.isolation.THREATS``; the page of a job and docs/reference/jobs.md show the same one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyseccomp
import pytest

from bitgoeul.compute.isolation import THREATS, Held, Threat, markdown_table
from bitgoeul.compute.ports import Ending, Tier
from bitgoeul.engines.local.isolation import landlock
from bitgoeul.engines.local.isolation.enclosure import THREADS_BESIDE
from bitgoeul.engines.local.processes import marked
from engines.attacks import EFFECTS, LIMITS, World
from engines.tiers import needs

ROOT = Path(__file__).resolve().parents[2]
LIMITED = [threat for threat in THREATS if threat.code not in EFFECTS]


@pytest.fixture(scope="module", params=list(Tier), ids=str)
def world(request):
    """An engine under each tier that this machine has."""
    tier = request.param
    isolation = needs(tier)
    with tempfile.TemporaryDirectory(prefix="attack-", ignore_cleanup_errors=True) as home:
        made = World(Path(home), str(tier))
        made.tier, made.isolation = tier, isolation
        yield made


def blocked(threat: Threat, tier: Tier) -> bool:
    """What the table says for this kernel."""
    held = threat.held(tier)
    if held is Held.KERNEL:
        return landlock.version() >= landlock.SIGNALS_ABI
    return held is Held.YES


@pytest.mark.parametrize("threat", [t for t in THREATS if t.code in EFFECTS], ids=lambda threat: threat.code)
def test_an_attack_has_the_effect_that_the_table_says(world, threat):
    had_effect = EFFECTS[threat.code](world)
    assert had_effect is not blocked(threat, world.tier)


def test_the_limits_are_the_only_other_threats():
    assert {threat.code for threat in LIMITED} == {"memory", "forks", "disk"}
    assert {threat.held(tier) for threat in LIMITED for tier in Tier} == {Held.ENDED, Held.CGROUP}


def test_a_memory_hog_is_ended_and_a_cgroup_gives_it_nothing_beyond_its_limit(world):
    done = world.run("kept = []\nfor _ in range(400): kept.append(os.urandom(1) * 2**20); time.sleep(0.002)")
    assert done.seen.ending == Ending.MEMORY_LIMIT
    if world.isolation.cgroups:
        assert done.end["oom_kills"] >= 1
        assert done.end["memory_kib_max"] <= LIMITS.memory_mib * 1024


@pytest.mark.slow
def test_a_fork_bomb_is_ended_and_nothing_of_it_is_left(world):
    done = world.run("for _ in range(2000):\n    try: os.fork()\n    except OSError: pass")
    assert done.seen.ending == Ending.PROCESS_LIMIT
    assert marked(done.job.path.name) == []


def test_threads_are_bounded_where_there_is_a_cgroup(world):
    code = (
        "import threading\nthreading.stack_size(65536)\nstop = threading.Event(); n = 0\n"
        "try:\n    for n in range(900): threading.Thread(target=stop.wait, args=(20,), daemon=True).start()\n"
        "except RuntimeError: pass\nprint(n, flush=True); os._exit(0)"
    )
    threads = int(world.run(code).out)
    if world.isolation.cgroups:
        assert threads < LIMITS.processes + THREADS_BESIDE
    else:
        assert threads == 899 or os.geteuid() != 0


@pytest.mark.slow
@pytest.mark.parametrize("place", [".", "os.environ['TMPDIR']"], ids=["work", "tmp"])
def test_who_fills_its_directories_is_ended(world, place):
    where = place if "environ" in place else repr(place)
    done = world.run(
        f"for n in range(400): open(os.path.join({where}, str(n)), 'wb').write(bytes(2**20)); time.sleep(0.02)"
    )
    assert done.seen.ending == Ending.FILE_LIMIT


def test_the_shared_directories_of_a_container_are_small_and_its_own(world):
    if world.tier is not Tier.CONTAINER:
        pytest.skip("only a container has its own /tmp")
    code = (
        "for place in ('/tmp/f', '/dev/shm/f', '/f', '/dev/f', '/usr/f'):\n    try:\n"
        "        with open(place, 'wb') as f:\n            for n in range(200): f.write(bytes(2**20)); f.flush()\n"
        "    except OSError as e: print(place, e.errno)"
    )
    done = world.run(code, memory_mib=400, file_mib=300)
    assert done.out.splitlines() == ["/tmp/f 28", "/dev/shm/f 28", "/f 30", "/dev/f 30", "/usr/f 30"]


def test_sockets_of_its_own_work_at_every_tier(world):
    code = (
        "a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))\n"
        "s = socket.socket(socket.AF_UNIX); s.bind('own'); s.listen(); c = socket.socket(socket.AF_UNIX)\n"
        "c.connect('own'); print('connected')"
    )
    assert world.run(code).out == "b'x'\nconnected\n"


def test_a_program_of_another_architecture_is_ended(world):
    """int 0x80 calls the kernel by the numbers of 32-bit x86, which the filter does not list."""
    if world.tier is Tier.LIMITS or os.uname().machine != "x86_64":
        pytest.skip("needs the filter, on x86-64")
    code = (
        "import mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write(bytes.fromhex('b814000000cd80c3'))\n"
        "f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\nprint(f())"
    )
    done = world.run(code)
    assert done.out == ""
    assert "SIGSYS" in str(done.seen.reason)


def test_a_job_has_no_capability_and_gets_none_back(world):
    if world.tier is Tier.LIMITS:
        pytest.skip("the weakest tier leaves what the platform has")
    status = world.run("print(open('/proc/self/status').read())").out
    lines = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert {lines[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (lines["NoNewPrivs"], lines["Seccomp"]) == ("1", "2")


def test_the_job_says_its_tier_and_where_its_figures_come_from(world):
    done = world.run("print(os.environ['BITGOEUL_ISOLATION'])")
    environment = done.job.usage().environment
    assert environment["isolation"] == done.out.strip() == str(world.tier)
    expected = f"cgroup v{world.isolation.cgroups.version}" if world.isolation.cgroups else "processes"
    assert environment["metering"] == expected


def test_our_own_code_can_be_imported_at_every_tier(world):
    """The harness of a trial is such code, from an installed package and from a checkout alike."""
    assert world.run("import bitgoeul.protocols.inference.harness; print('there')").out == "there\n"


def test_the_page_of_jobs_has_this_table():
    assert markdown_table() in (ROOT / "docs/reference/jobs.md").read_text(encoding="utf-8")


ORDINARY = """
import json, sys, time
from pathlib import Path
from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import JobSpec, Limits, Phase
from bitgoeul.kernel.ids import new_id
from bitgoeul.engines.local import make
engine = make(Path(sys.argv[1]), {"cores": 2, "memory_mib": 2048})
found = engine.isolation()
code = "import os; print(os.getuid())"
job = JobSpec(new_id(), "j", ("python", "-c", code), {}, {}, (), Limits(1, 256, 20, 16, 16), {})
handle = engine.submit(job)
while engine.poll([handle])[0].phase != Phase.ENDED: time.sleep(0.02)
said = engine.read_log(handle, "stdout", 0, 100).data.decode()
print(json.dumps({"tier": found.tier, "why_not": dict(found.why_not), "said": said,
                  "metering": engine.usage([handle])[0].environment["metering"]}))
"""


@pytest.mark.slow
def test_an_ordinary_user_gets_a_container_too_without_cgroups(tmp_path):
    """With a Python that any user may run; this run's own may lie where only root can look."""
    needs(Tier.CONTAINER)
    python = shutil.which("python3", path="/usr/bin")
    if os.geteuid() != 0 or python is None:
        pytest.skip("needs root, to become another user, and /usr/bin/python3")
    home = Path(tempfile.mkdtemp(prefix="ordinary-"))
    try:
        make = [python, "-m", "venv", "--without-pip", home / "venv"]
        made = subprocess.run(make, capture_output=True, check=False)
        site = next((home / "venv").glob("lib/python3.*/site-packages"), None)
        if made.returncode or site is None or site.parent.name != f"python3.{sys.version_info.minor}":
            pytest.skip("no venv of the same Python from /usr/bin")
        # Copies, since a checkout may lie where only its owner may look.
        shutil.copytree(ROOT / "src" / "bitgoeul", site / "bitgoeul", ignore=shutil.ignore_patterns("static"))
        (site / "pyseccomp.py").write_bytes(Path(pyseccomp.__file__).read_bytes())
        (home / "engine").mkdir()
        (home / "try.py").write_text(ORDINARY, encoding="utf-8")
        for place in (home, home / "engine"):
            shutil.chown(place, 65534, 65534)
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
        done = subprocess.run(
            [*as_nobody, home / "venv/bin/python", "-I", home / "try.py", home / "engine"],
            capture_output=True, text=True, timeout=120, check=False, cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        assert (told["tier"], told["said"], told["metering"]) == ("container", "65534\n", "processes")
        assert "cgroups" in told["why_not"]
    finally:
        shutil.rmtree(home, ignore_errors=True)

"""A private Slurm of six pretended nodes: controller, accounting and REST, everything in one directory.

tools/slurm-testbed run DIRECTORY [--install]      in the foreground until Ctrl-C; says how to use it
tools/slurm-testbed with COMMAND …                 a throwaway cluster around one command, which finds its
                                                   slurm.conf in SLURM_CONF
tools/slurm-testbed install                        only install the Debian packages

Needs root, for Slurm starts work as its users. Standard library only. It listens on loopback, reads nothing in
/etc, and stops only processes that it started.

The nodes: hpc1–2 (64 cores), gpu1–2 (96 cores, 8 fake H100 each), npu1 (8 fake ATOM), npu2 (8 fake RNGD). The
limit of a job's memory is real where the kernel's cgroups (version 1) can be used; ``Testbed.confines`` says so.
"""

from __future__ import annotations

import argparse
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from postgres import clean_up_when_ended, dies_with_parent, free_port
from trouble import Trouble

PACKAGES = ("slurm-wlm", "slurmdbd", "slurmrestd", "slurm-wlm-jwt-plugin", "munge", "mariadb-server")
PROGRAMS = ("slurmctld", "slurmd", "slurmdbd", "slurmrestd", "munged", "mariadbd", "sacctmgr")
CLUSTER = "testbed"
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
CGROUP = Path("/sys/fs/cgroup")
CGROUP_CONTROLLERS = ("freezer", "memory", "cpuset")
REST_USER = "nobody"
DEVICES = {"h100": 8, "atom": 8, "rngd": 8}
# Name, cores, MiB, generic resource.
NODES = (
    ("hpc1", 64, 256_000, ""), ("hpc2", 64, 256_000, ""),
    ("gpu1", 96, 1_000_000, "gpu:h100:8"), ("gpu2", 96, 1_000_000, "gpu:h100:8"),
    ("npu1", 64, 500_000, "npu:atom:8"), ("npu2", 64, 500_000, "npu:rngd:8"),
)  # fmt: skip
# MaxTime in the partitions is generous; limits are the associations' matter.
PARTITIONS = (
    ("hpc", "hpc[1-2]", "YES"), ("gpu", "gpu[1-2]", "NO"), ("npu", "npu[1-2]", "NO"),
    ("single", "hpc1", "NO"),  # one node alone, to see jobs wait for each other
)  # fmt: skip


def missing() -> list[str]:
    """The programs that are not installed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [name for name in PROGRAMS if not shutil.which(name, path=path)]


def install() -> None:
    """Install Debian's packages as root; raises `Trouble` otherwise. Nothing of them is started."""
    if not missing():
        return
    line = f"apt-get install --yes --no-install-recommends {' '.join(PACKAGES)}"
    if os.geteuid() != 0:
        raise Trouble("The Slurm testbed needs Slurm and MariaDB.", f"sudo {line}\nThen run the same again.")
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], line.split()):
        done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, timeout=900, check=False)
        if done.returncode:
            raise Trouble(f"{' '.join(command)} failed.", "Correct it and run the same again.", 1)


def need_all() -> None:
    """Raise `Trouble` unless root has every program."""
    if lacking := missing():
        raise Trouble(f"Not installed: {', '.join(lacking)}.", "sudo tools/slurm-testbed install")
    if os.geteuid() != 0:
        raise Trouble("The Slurm testbed needs root.", "Slurm starts work as its users: run it with sudo.")


def usable_cgroups() -> bool:
    """Whether the kernel lets us make version 1 control groups of every kind that Slurm needs, by trying.

    Slurm names its groups by the node: beside another testbed, or what one left, this one does without.
    """
    for controller in CGROUP_CONTROLLERS:
        if any((CGROUP / controller / f"slurm_{name}").exists() for name, *_rest in NODES):
            return False
        probe = CGROUP / controller / f"testbed-probe-{os.getpid()}"
        try:
            probe.mkdir()
            probe.rmdir()
        except OSError:
            return False
    return True


class Testbed:
    """One cluster in one directory. Daemons run in the foreground under this process; each can be killed alone."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        need_all()
        self.folder = folder.resolve()
        self.conf = self.folder / "etc" / "slurm.conf"
        self.confines = usable_cgroups()
        names = ("ctld", "dbd", "rest", "mysql", *(name for name, *_rest in NODES))
        self.ports = {name: free_port() for name in names}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def env(self) -> dict[str, str]:
        """What Slurm's commands need to talk to this cluster."""
        return os.environ | {"SLURM_CONF": str(self.conf)}

    @property
    def rest_url(self) -> str:
        """Where slurmrestd answers."""
        return f"http://127.0.0.1:{self.ports['rest']}"

    def run(self, *command: str, timeout: float = 30.0, **options: Any) -> subprocess.CompletedProcess[str]:
        """One command against this cluster."""
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=timeout, check=False, **options
        )

    def token(self, user: str = "root", lifespan: int = 3_600) -> str:
        """A JWT for slurmrestd."""
        done = self.run("scontrol", "token", f"username={user}", f"lifespan={lifespan}")
        return done.stdout.strip().removeprefix("SLURM_JWT=")

    # Making

    def make(self) -> None:
        """Directories, keys and configuration; an existing cluster of the same directory is not reused."""
        folder = self.folder
        if folder.exists() and any(folder.iterdir()):
            raise Trouble(f"{folder} is not empty.", "Name an empty or new directory.")
        for name in ("etc", "log", "run", "state", "spool", "mysql", "munge/sock", "sbin", "dev", "shared"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        for name, mode in (("munge", 0o711), ("munge/sock", 0o755), ("dev", 0o755), ("shared", 0o755)):
            (folder / name).chmod(mode)
        for daemon in ("slurmctld", "slurmd", "slurmstepd"):
            # Under another name the daemon takes itself for another one and ends in a segmentation fault.
            (folder / "sbin" / daemon).symlink_to(f"/usr/sbin/{daemon}-wlm")
        for kind, count in DEVICES.items():
            for number in range(count):
                # A null device stands in: the scheduler wants a device file for each that it assigns.
                os.mknod(folder / "dev" / f"{kind}_{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (folder / "munge" / "key").write_bytes(secrets.token_bytes(1_024))
        for name in ("munge", "munge/sock", "munge/key"):
            _own(folder / name, "munge")
        (folder / "munge" / "key").chmod(0o400)
        _own(folder / "mysql", "mysql")
        (folder / "etc" / "jwt.key").write_bytes(secrets.token_bytes(32))
        (folder / "etc" / "jwt.key").chmod(0o600)
        self.conf.write_text(self._slurm_conf(), encoding="utf-8")
        (folder / "etc" / "slurmdbd.conf").write_text(self._slurmdbd_conf(), encoding="utf-8")
        (folder / "etc" / "slurmdbd.conf").chmod(0o600)
        (folder / "etc" / "gres.conf").write_text(self._gres_conf(), encoding="utf-8")
        if self.confines:
            (folder / "etc" / "cgroup.conf").write_text(CGROUP_CONF, encoding="utf-8")
        prolog = Path(__file__).resolve().parents[1] / "src/bitgoeul/engines/slurm/npu_devices.sh"
        shutil.copy(prolog, folder / "etc" / "task_prolog.sh")
        (folder / "etc" / "task_prolog.sh").chmod(0o755)

    def _slurm_conf(self) -> str:
        host, folder = socket.gethostname().split(".")[0], self.folder
        confined = (
            "ProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup\nJobAcctGatherType=jobacct_gather/cgroup"
            if self.confines
            else "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/linux"
        )
        lines = [SLURM_CONF.format(folder=folder, host=host, cluster=CLUSTER, confined=confined, **self.ports)]
        for name, cores, memory, gres in NODES:
            lines.append(
                f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={self.ports[name]} CPUs={cores}"
                f" Sockets=2 CoresPerSocket={cores // 2} ThreadsPerCore=1 RealMemory={memory}"
                + (f" Gres={gres}" if gres else "")
            )
        lines += [
            f"PartitionName={name} Nodes={nodes} Default={default} MaxTime=1-00:00:00 DefaultTime=10"
            " DefMemPerCPU=1000 State=UP"
            for name, nodes, default in PARTITIONS
        ]
        return "\n".join(lines) + "\n"

    def _slurmdbd_conf(self) -> str:
        return SLURMDBD_CONF.format(folder=self.folder, **self.ports)

    def _gres_conf(self) -> str:
        dev = self.folder / "dev"
        return (
            f"NodeName=gpu[1-2] Name=gpu Type=h100 File={dev}/h100_[0-7]\n"
            f"NodeName=npu1 Name=npu Type=atom File={dev}/atom_[0-7]\n"
            f"NodeName=npu2 Name=npu Type=rngd File={dev}/rngd_[0-7]\n"
        )

    # Running

    def start(self) -> Testbed:
        """Bring everything up and return when every node is idle; raises `Trouble` with the end of a log."""
        self.make()
        self.start_munged()
        self._make_database()
        self.start_slurmdbd()
        self.must("sacctmgr", "-i", "add", "cluster", CLUSTER)
        self.start_slurmctld()
        for name, *_rest in NODES:
            self.start_slurmd(name)
        self.start_slurmrestd()
        self.wait("every node is idle", self._nodes_idle)
        return self

    def start_munged(self) -> None:
        """The private authentication service."""
        at = self.folder / "munge"
        self._daemon(
            "munged", "/usr/sbin/munged", "--foreground", f"--key-file={at}/key", f"--socket={at}/sock/s",
            f"--pid-file={at}/pid", f"--log-file={at}/log", f"--seed-file={at}/seed", user="munge",
        )  # fmt: skip
        self.wait("munged answers", (at / "sock" / "s").exists)

    def _make_database(self) -> None:
        at = self.folder / "mysql"
        self.must(
            "mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={at}",
            "--auth-root-authentication-method=normal", "--skip-test-db", timeout=START_SECONDS_MAX,
        )  # fmt: skip
        self.start_database()
        say = (
            "create database slurm_acct_db; create user slurm@'127.0.0.1' identified by 'testbed';"
            " grant all on slurm_acct_db.* to slurm@'127.0.0.1'"
        )
        self.must("mariadb", "--no-defaults", f"--socket={at}/s", "-e", say)

    def start_database(self) -> None:
        """The accounting database on its own port."""
        at = self.folder / "mysql"
        self._daemon(
            "mariadbd", "/usr/sbin/mariadbd", "--no-defaults", f"--datadir={at}", f"--socket={at}/s",
            f"--pid-file={at}/pid", "--bind-address=127.0.0.1", f"--port={self.ports['mysql']}",
            "--innodb-buffer-pool-size=128M", "--innodb-log-file-size=64M", "--innodb-lock-wait-timeout=900",
            "--innodb-flush-log-at-trx-commit=2", "--skip-name-resolve", user="mysql",
        )  # fmt: skip
        ping = ("mariadb-admin", "--no-defaults", f"--socket={at}/s", "ping")
        self.wait("the accounting database answers", lambda: self.run(*ping).returncode == 0)

    def start_slurmdbd(self) -> None:
        """The accounting daemon."""
        self._daemon("slurmdbd", "/usr/sbin/slurmdbd", "-D")
        self.wait("slurmdbd listens", lambda: _listens(self.ports["dbd"]))

    def start_slurmctld(self) -> None:
        """The controller."""
        self._daemon("slurmctld", str(self.folder / "sbin" / "slurmctld"), "-D")
        self.wait("slurmctld answers", lambda: "UP" in self.run("scontrol", "ping").stdout)

    def start_slurmd(self, node: str) -> None:
        """The daemon of one node."""
        (self.folder / "spool" / node).mkdir(exist_ok=True)
        sbin = self.folder / "sbin"
        self._daemon(f"slurmd.{node}", str(sbin / "slurmd"), "-D", "-d", str(sbin / "slurmstepd"), "-N", node)

    def start_slurmrestd(self) -> None:
        """REST, as a user that is neither root nor Slurm's own, which it refuses."""
        listen = f"127.0.0.1:{self.ports['rest']}"
        self._daemon(
            "slurmrestd", "/usr/sbin/slurmrestd", "-a", "rest_auth/jwt", "-t", "8", listen, user=REST_USER,
            SLURM_JWT="daemon",
        )  # fmt: skip
        self.wait("slurmrestd listens", lambda: _listens(self.ports["rest"]))

    def kill(self, name: str) -> None:
        """kill -9 of one daemon, as a machine that lost its power."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(STOP_SECONDS_MAX)

    def resume_nodes(self) -> None:
        """Clear every node of what a fault left: its jobs, a drain, and what the controller wrongly remembers."""
        if left := self.run("squeue", "-h", "-a", "-o", "%A").stdout.split():
            self.run("scancel", *left)
        names = ",".join(name for name, *_rest in NODES)
        # Down ends what the controller believes to run there, which no node may confirm any more.
        self.run("scontrol", "update", f"nodename={names}", "state=down", "reason=testbed")
        for name, *_rest in NODES:
            self.kill(f"slurmd.{name}")
            self.start_slurmd(name)
        self.run("scontrol", "update", f"nodename={names}", "state=resume")
        self.wait("every node is idle", self._nodes_idle)

    def _nodes_idle(self) -> bool:
        states = self.run("sinfo", "-h", "-N", "-o", "%N %T").stdout.split("\n")
        return {line.split()[1] for line in states if line} == {"idle"}

    def _daemon(self, name: str, *command: str, user: str = "", **environ: str) -> None:
        as_user: dict[str, Any] = {}
        if user:
            entry = pwd.getpwnam(user)
            as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        with (self.folder / "log" / f"{name}.out").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd="/", env=self.env | environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=dies_with_parent(), **as_user,
            )  # fmt: skip

    def must(self, *command: str, timeout: float = 30.0) -> str:
        """One command that has to succeed; what it printed."""
        done = self.run(*command, timeout=timeout)
        if done.returncode:
            said = (done.stdout + done.stderr)[-2_000:]
            raise Trouble(f"{command[0]} failed.\n{said}", f"See {self.folder}/log", 1)
        return done.stdout

    def wait(self, what: str, holds: Any, seconds: float = START_SECONDS_MAX) -> None:
        """Wait until ``holds()``; raises `Trouble` that names what was waited for."""
        limit = time.monotonic() + seconds
        while not holds():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise Trouble(f"{name} ended.\n{self._last_lines(name)}", f"See {self.folder}/log", 1)
            if time.monotonic() > limit:
                raise Trouble(f"Waited {seconds:.0f} s in vain: {what}.", f"See {self.folder}/log", 1)
            time.sleep(0.05)

    def _last_lines(self, name: str) -> str:
        log = self.folder / "log" / f"{name}.out"
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])

    def stop(self) -> None:
        """End what runs, in the order that loses nothing; again changes nothing."""
        with suppress(subprocess.TimeoutExpired, OSError):
            self.run("scancel", "--full", "--signal=KILL", "--state=RUNNING", timeout=10)
        order = ("slurmrestd", *(f"slurmd.{name}" for name, *_rest in NODES), "slurmctld", "slurmdbd", "mariadbd")
        for name in (*order, "munged"):
            if process := self.processes.pop(name, None):
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(STOP_SECONDS_MAX)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(STOP_SECONDS_MAX)
        self._end_steps()
        self._remove_cgroups()

    def kill_wrapper(self, directory: str) -> None:
        """kill -9 of the supervisor of the job in ``directory``, as when its node lost its memory."""
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
                if directory.encode() in words:
                    os.kill(int(entry.name), signal.SIGKILL)

    def _end_steps(self) -> None:
        """Kill the supervisors of jobs that outlived their daemons, known by this cluster's own program path."""
        own = str(self.folder / "sbin" / "slurmstepd")
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and own in (entry / "cmdline").read_text(errors="replace"):
                    os.kill(int(entry.name), signal.SIGKILL)

    def _remove_cgroups(self) -> None:
        """The empty control groups that Slurm leaves; one that is still used stays."""
        for controller in CGROUP_CONTROLLERS:
            for name, *_rest in NODES:
                top = CGROUP / controller / f"slurm_{name}"
                for path in sorted(top.rglob("*"), reverse=True) if self.confines and top.is_dir() else ():
                    if path.is_dir():
                        with suppress(OSError):
                            path.rmdir()
                with suppress(OSError):
                    top.rmdir()

    def remove(self) -> None:
        """Stop and take everything away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _own(path: Path, user: str) -> None:
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


SLURM_CONF = """\
ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/sock/s
CredType=cred/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={folder}/etc/jwt.key
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmdSpoolDir={folder}/spool/%n
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
{confined}
TaskProlog={folder}/etc/task_prolog.sh
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=50000,batch_sched_delay=0,bf_interval=2
MaxArraySize=20001
MaxJobCount=50000
PriorityType=priority/multifactor
PriorityDecayHalfLife=0
PriorityUsageResetPeriod=NONE
PriorityCalcPeriod=1
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={dbd}
AccountingStoragePass={folder}/munge/sock/s
AccountingStoreFlags=job_comment
AccountingStorageTRES=gres/gpu,gres/gpu:h100,gres/npu,gres/npu:atom,gres/npu:rngd
AccountingStorageEnforce=associations,limits,qos,safe
GresTypes=gpu,npu
SlurmdParameters=config_overrides
"""

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/sock/s
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={folder}/etc/jwt.key
DbdHost=localhost
DbdPort={dbd}
SlurmUser=root
PidFile={folder}/run/slurmdbd.pid
LogFile={folder}/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mysql}
StorageUser=slurm
StoragePass=testbed
StorageLoc=slurm_acct_db
"""

CGROUP_CONF = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainRAMSpace=yes
ConstrainCores=no
"""


@contextmanager
def throwaway() -> Iterator[Testbed]:
    """A cluster in a new temporary directory, gone afterwards."""
    # Not below a private directory: jobs and daemons run as several users.
    testbed = Testbed(Path(tempfile.mkdtemp(prefix="bitgoeul-slurm-", dir="/var/tmp")))
    try:
        yield testbed.start()
    finally:
        testbed.remove()


def serve(folder: Path) -> int:
    """Keep a cluster in ``folder`` until a signal; says how to use it."""
    testbed = Testbed(folder)
    try:
        started = time.monotonic()
        testbed.start()
        limits = "confines jobs by cgroups" if testbed.confines else "does not confine jobs: no usable cgroups"
        print(
            f"Slurm answers after {time.monotonic() - started:.1f} s; it {limits}. REST: {testbed.rest_url}\n"
            f"  export SLURM_CONF={testbed.conf}",
            flush=True,
        )
        while all(process.poll() is None for process in testbed.processes.values()):
            time.sleep(0.5)
        ended = [name for name, process in testbed.processes.items() if process.poll() is not None]
        print(f"Ended by itself: {', '.join(ended)}. See {testbed.folder}/log", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        testbed.stop()


def around(command: Sequence[str]) -> int:
    """Run one command beside a throwaway cluster; its exit status."""
    with throwaway() as testbed:
        return subprocess.run(command, env=testbed.env, check=False).returncode


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/slurm-testbed", description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    serving = actions.add_parser("run", help="keep a cluster in a directory until Ctrl-C")
    serving.add_argument("folder", type=Path)
    serving.add_argument("--install", action="store_true", help="install the Debian packages first")
    around_one = actions.add_parser("with", help="run a command beside a throwaway cluster")
    around_one.add_argument("command", nargs=argparse.REMAINDER)
    actions.add_parser("install", help="install the Debian packages")
    given = parser.parse_args()
    clean_up_when_ended()
    try:
        if given.action == "install" or getattr(given, "install", False):
            install()
        if given.action == "install":
            return 0
        return serve(given.folder) if given.action == "run" else around(given.command)
    except KeyboardInterrupt:
        return 130
    except Trouble as trouble:
        print(f"\n{trouble.what}\n{trouble.remedy}", file=sys.stderr)
        return trouble.status


if __name__ == "__main__":
    sys.exit(main())

"""The process tree starts, heals and ends as one; looked at through /proc, where a zombie counts as dead."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bitgoeul.engines.local.processes import Identity, descendants, identity_of
from bitgoeul.site import supervisor

DRIVER = Path(__file__).with_name("small_tree.py")
SECONDS_MAX = 15.0


def wait_for(what, seconds=SECONDS_MAX):
    """What ``what`` returns once it is true; fails after ``seconds``."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Tree:
    """One running small tree and what it said."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.said = (home / "said").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVER), str(home), "0", *arguments], stdout=self.said, stderr=self.said
        )
        self.state = wait_for(self._ready)

    def _ready(self):
        assert self.process.poll() is None, self.text()
        state = supervisor.read_state(self.home)
        return state if state and state["ready"] else None

    def text(self) -> str:
        return (self.home / "said").read_text()

    def child(self, name: str) -> Identity:
        each = supervisor.read_state(self.home)["children"][name]
        return Identity(each["pid"], each["start"])

    def everyone(self) -> list[Identity]:
        itself = identity_of(self.process.pid)
        return [*([itself] if itself else []), *descendants(self.process.pid)]

    def close(self) -> None:
        for identity in self.everyone():
            os.kill(identity.pid, signal.SIGKILL)
        self.process.wait(timeout=10)
        self.said.close()


@pytest.fixture
def tree(tmp_path):
    tree = Tree(tmp_path)
    yield tree
    tree.close()


def all_dead(identities):
    return not [identity for identity in identities if identity.alive()]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_leaves_nothing_alive(tree, stop):
    everyone = tree.everyone()
    assert len(everyone) >= 5  # itself, three children, one that escaped into a session of its own
    tree.process.send_signal(stop)
    assert tree.process.wait(timeout=SECONDS_MAX) == 0
    assert all_dead(everyone)
    assert "Stopped." in tree.text()
    assert supervisor.read_state(tree.home) is None


def test_kill_9_of_the_supervisor_leaves_no_child_alive(tree):
    children = [tree.child(name) for name in ("web", "worker", "follower")]
    escaped = [each for each in tree.everyone() if each not in children and each.pid != tree.process.pid]
    tree.process.kill()
    tree.process.wait(timeout=5)
    wait_for(lambda: all_dead(children), 5)
    for identity in escaped:  # no parent-death signal reaches what a child started by itself; jobs watch for us
        os.kill(identity.pid, signal.SIGKILL)


@pytest.mark.parametrize("name", ["web", "worker", "follower"])
def test_a_child_that_dies_is_started_again_and_said_so(tree, name):
    before, others = tree.child(name), [each for each in tree.state["children"] if each != name]
    kept = {each: tree.child(each) for each in others}
    os.kill(before.pid, signal.SIGKILL)
    wait_for(lambda: tree.child(name) != before and tree.child(name).alive())
    assert f"{name} ended (killed by SIGKILL); it starts again in 0.1 s." in tree.text()
    assert {each: tree.child(each) for each in others} == kept
    assert wait_for(lambda: supervisor.answers("127.0.0.1", tree.state["port"]))


def test_a_child_that_keeps_dying_is_started_less_and_less_often(tree):
    for _ in range(3):
        before = tree.child("worker")
        os.kill(before.pid, signal.SIGKILL)
        wait_for(lambda before=before: tree.child("worker") != before)
    waits = [line.rsplit(" in ", 1)[1] for line in tree.text().splitlines() if line.startswith("worker ended")]
    assert waits == ["0.1 s.", "0.5 s.", "1 s."]


def test_the_port_stays_ours_while_the_web_process_is_away(tree):
    os.kill(tree.child("web").pid, signal.SIGKILL)
    with socket.create_connection(("127.0.0.1", tree.state["port"]), timeout=SECONDS_MAX) as visitor:
        visitor.settimeout(SECONDS_MAX)
        visitor.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert visitor.recv(100).startswith(b"HTTP/1.0 200")


def test_a_restart_keeps_itself_its_socket_and_what_the_children_left_running(tree):
    itself, children = identity_of(tree.process.pid), {name: tree.child(name) for name in tree.state["children"]}
    job = next(each for each in tree.everyone() if each != itself and each not in children.values())
    tree.process.send_signal(signal.SIGUSR2)

    def renewed():
        state = supervisor.read_state(tree.home)
        return state if state and state["ready"] and state["since"] != tree.state["since"] else None

    state = wait_for(renewed)
    assert Identity(state["pid"], state["start"]) == itself
    assert state["port"] == tree.state["port"]
    assert supervisor.answers("127.0.0.1", state["port"])
    assert all_dead(children.values())
    assert job.alive()
    tree.process.send_signal(signal.SIGTERM)
    assert tree.process.wait(timeout=SECONDS_MAX) == 0
    assert not job.alive()


def test_a_restart_into_code_that_does_not_load_is_refused_and_nothing_stops(tmp_path):
    tree = Tree(tmp_path, "broken")
    try:
        children = [tree.child(name) for name in tree.state["children"]]
        tree.process.send_signal(signal.SIGUSR2)
        wait_for(lambda: "Not restarted: the code does not load (SyntaxError: planted)." in tree.text())
        assert all(child.alive() for child in children)
    finally:
        tree.close()


@pytest.mark.parametrize("status", [0, 1])
def test_one_attempt_ends_the_tree_with_its_own_status(tmp_path, status):
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path), "0", "attempt", f"raise SystemExit({status})"],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == status
    assert supervisor.read_state(tmp_path) is None


def test_an_attempt_that_is_cut_short_did_not_hold(tmp_path):
    tree = Tree(tmp_path, "attempt", "import time; time.sleep(600)")
    everyone = tree.everyone()
    tree.process.send_signal(signal.SIGINT)
    assert tree.process.wait(timeout=SECONDS_MAX) == 128 + signal.SIGINT
    assert all_dead(everyone)
    tree.said.close()


def test_a_second_supervisor_of_the_home_is_refused_with_the_address(tree):
    second = subprocess.run(
        [sys.executable, str(DRIVER), str(tree.home), "0"], capture_output=True, text=True, timeout=SECONDS_MAX
    )
    assert second.returncode == 2
    assert f"already runs on {tree.home}: {tree.state['url']}, pid {tree.process.pid}" in second.stderr


def test_a_taken_port_is_refused_with_a_free_one(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, str(DRIVER), str(tmp_path), str(port)],
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
    assert done.returncode == 2
    assert f"Port {port} of 127.0.0.1 is taken" in done.stderr
    assert "./run --port " in done.stderr


def test_a_state_file_of_a_dead_supervisor_is_not_believed(tmp_path):
    folder = supervisor.run_folder(tmp_path)
    folder.mkdir()
    (folder / "supervisor.json").write_text(f'{{"pid": {os.getpid()}, "start": 1, "url": "x", "ready": true}}')
    assert supervisor.read_state(tmp_path) is None  # the pid is alive, but it is not that process


def test_a_log_is_bounded_and_keeps_its_newest_part(tmp_path):
    log = tmp_path / "web.log"
    with log.open("ab") as writer:
        writer.write(b"old " * 1000 + b"newest")
        writer.flush()
        supervisor.bound_log(log, bytes_max=1000)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    kept = log.with_suffix(".log.1").read_bytes()
    assert len(kept) == 1000
    assert kept.endswith(b"newest")

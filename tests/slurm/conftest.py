"""One real Slurm for the run, from tools/slurm_testbed.py; skipped, with the reason, where it cannot be had."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
ACCOUNT = "conformance"


@contextmanager
def another() -> Iterator[Any]:
    """A throwaway cluster with an account ``conformance`` that root may use; skips where none can be had."""
    sys.path.insert(0, str(TOOLS))
    try:
        import slurm_testbed
        from trouble import Trouble
    finally:
        sys.path.remove(str(TOOLS))
    try:
        slurm_testbed.need_all()
    except Trouble as trouble:
        pytest.skip(f"no Slurm here: {trouble.what}")
    with slurm_testbed.throwaway() as cluster:
        cluster.must("sacctmgr", "-i", "add", "account", ACCOUNT)
        cluster.must("sacctmgr", "-i", "add", "user", "root", f"account={ACCOUNT}")
        yield cluster


@pytest.fixture(scope="session")
def testbed() -> Iterator[Any]:
    """The one that most tests share."""
    with another() as cluster:
        yield cluster


@pytest.fixture(scope="class")
def cluster_config(testbed: Any) -> dict[str, Any]:
    """Settings of an engine on it; jobs without a device go to a partition of one node."""
    return {
        "conf": str(testbed.conf),
        "account": ACCOUNT,
        "partitions": {"core": "single", "h100": "gpu", "npu-atom": "npu", "npu-rngd": "npu"},
        "devices": {"h100": "gpu:h100", "npu-atom": "npu:atom", "npu-rngd": "npu:rngd"},
    }


@pytest.fixture(autouse=True)
def same_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in this process and its transaction: a connection made anew would know nothing of it."""
    from bitgoeul.site.cli import cluster, usage

    for commands in (cluster, usage):
        monkeypatch.setattr(commands, "use_django_patiently", lambda: None)
        monkeypatch.setattr(commands, "refuse_other_schema", lambda _what: None)

"""The pure parts of the Slurm engine: what its commands print, read."""

from __future__ import annotations

from bitgoeul.compute.ports import Ending, Slots
from bitgoeul.engines.slurm.commands import refusal
from bitgoeul.engines.slurm.nodes import FORMAT, WIDTHS, gres_counts, minutes, read
from bitgoeul.engines.slurm.queue import Stand, listed


def test_a_name_with_bars_or_a_line_end_breaks_no_list():
    lines = [line.split("|") for line in ("7|RUNNING|a|b|c", "rest of a name", "8|CANCELLED by 0|x", "9||y")]
    found = listed(lines)
    assert [(each.number, each.stand, each.name) for each in found] == [
        (7, Stand.LIVES, "a|b|c"),
        (8, Stand.ENDED, "x"),
    ]
    assert found[1].ending is Ending.CANCELLED


def test_a_state_that_is_not_known_proves_no_end():
    (one,) = listed([["7", "SOMETHING_NEW", "x"]])
    assert one.stand is Stand.LIVES


def test_a_node_with_its_devices_and_limits():
    cells = ("npu1", "npu*", "mixed*", "2/62/0/64", "500000", "1000", "npu:atom:8(S:0)", "npu:atom:3(IDX:0-2)",
             "1-00:00:00", "none")  # fmt: skip
    (node,) = read("".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)))
    assert len(FORMAT.split(",")) == len(WIDTHS)
    assert (node.name, node.partition, node.cores, node.minutes_max) == ("npu1", "npu", Slots(64, 62), 1_440)
    assert (node.gres["npu:atom"], node.memory_mib, node.reason) == (Slots(8, 5), Slots(500_000, 499_000), "")
    assert not node.answers, "a star behind the state says that the node does not answer"


def test_counts_of_generic_resources_and_limits_of_time():
    assert gres_counts("gpu:h100:8(S:0-1),npu:atom:2(IDX:0-1)") == {"gpu:h100": 8, "npu:atom": 2}
    assert gres_counts("(null)") == {}
    assert [minutes(each) for each in ("30:00", "1:00:00", "2-01:00:00", "infinite")] == [30, 60, 2_940, None]


def test_gone_and_refused_are_told_apart():
    gone = refusal("sbatch", "sbatch: error: Batch job submission failed: Unable to contact slurm controller")
    no = refusal("sbatch", "sbatch: error: Batch job submission failed: Invalid account or account/partition")
    assert (type(gone).__name__, type(no).__name__, no.field) == ("EngineUnavailable", "EngineRefused", "account")

"""The pure parts of the Slurm engine: what its commands print, read."""

from __future__ import annotations

from bitgoeul.compute.ports import Ending, Slots
from bitgoeul.engines.slurm.accounting import _claims
from bitgoeul.engines.slurm.commands import refusal
from bitgoeul.engines.slurm.nodes import FORMAT, WIDTHS, gres_counts, minutes, read
from bitgoeul.engines.slurm.queue import Stand, indices_of, listed
from bitgoeul.engines.slurm.submit import ranges
from bitgoeul.kernel.ids import new_id


def test_a_name_with_bars_or_a_line_end_breaks_no_list():
    lines = [
        line.split("|") for line in ("7|7|RUNNING|n1|a|b|c", "rest of a name", "8|8|CANCELLED by 0||x", "9|9|||y")
    ]
    found = listed(lines)
    assert [(each.number, each.stand, each.name) for each in found] == [
        (7, Stand.LIVES, "a|b|c"),
        (8, Stand.ENDED, "x"),
    ]
    assert found[1].ending is Ending.CANCELLED
    assert [each.placed for each in found] == [True, False]
    assert not listed([["9", "9", "CANCELLED", "None assigned", "x"]])[0].placed


def test_a_state_that_is_not_known_proves_no_end():
    (one,) = listed([["7", "7", "SOMETHING_NEW", "", "x"]])
    assert one.stand is Stand.LIVES


def test_elements_of_an_array_are_told_by_name_and_index():
    lines = [
        ["12_3", "15", "RUNNING", "n1", "s"],
        ["12_4", "12", "PENDING", "", "s"],
        ["12_[5-8:2,9%2]", "", "PENDING", "", "s"],
    ]
    found = listed(lines)
    assert [(each.key, each.number, each.reference) for each in found] == [
        ("s_3", 15, "12_3"), ("s_4", 12, "12_4"), ("s_5", 12, "12_5"), ("s_7", 12, "12_7"), ("s_9", 12, "12_9"),
    ]  # fmt: skip
    assert ranges([7, 0, 1, 2, 5]) == "0-2,5,7"
    assert indices_of(ranges(range(3, 40))) == list(range(3, 40))


def test_a_record_of_the_accounting_says_which_job_it_claims_to_be():
    one, sweep = new_id(), new_id()
    lines = [f"7|a|7|bg-{one}", f"9|a|8_3|bg-sweep-{sweep}", f"8|a|8_[4-9]|bg-sweep-{sweep}", "1|a|1|x|bg-{one}"]
    assert _claims("\n".join(lines)) == {("7", "a"): str(one), ("9", "a"): f"{sweep}_3"}


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

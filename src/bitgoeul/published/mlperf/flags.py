"""What is remarkable about a published result; no flag says that anybody did wrong."""

from __future__ import annotations

from enum import StrEnum


class Flag(StrEnum):
    """One remark; the reference page of the command lists them with their meaning."""

    DISAGREES = "disagrees_with_log"
    """The summary says another number or word than the detail log of the same run, or two for the same
    (로그와 불일치)."""
    NOT_IN_LOG = "not_in_log"
    """The detail log does not have the headline, or not what scenario, mode or validity the run had."""
    DOES_NOT_ADD_UP = "does_not_add_up"
    """The detail log's own numbers do not fit each other, as throughput × time against samples."""
    INVALID = "invalid"
    """The run is not VALID by its log."""
    ERRORS = "errors_under_valid"
    """The log has error lines although the run is called VALID."""
    INFERRED = "inferred"
    """The log is of another scenario than the folder: an inferred result, which the rules allow on edge systems
    (규칙상 추론값)."""
    WRONG_SCENARIO = "wrong_scenario"
    """The log is of another scenario than the folder, and the rules infer nothing from that one."""
    NOT_PERFORMANCE = "not_a_performance_run"
    """The log's mode is not PerformanceOnly."""
    OPEN = "open_division"
    """The open division: the work may differ from the benchmark's."""
    PREVIEW = "preview"
    """The system was announced, not yet for sale."""
    RDI = "rdi"
    """Research, development or internal: the system need never be for sale."""
    SEVERAL = "several_accelerators"
    """The result is of more than one accelerator."""
    DUPLICATE = "duplicate"
    """Another result read with this one has the same detail log."""
    POWER = "power_measured"
    """Wall power was measured in this run; it counts for this submission only."""
    NO_POWER = "no_power_in_window"
    """A meter's log is there, and none of its readings is of the run's own time."""
    NO_LOG = "no_detail_log"
    """There is no detail log, so nothing could be derived again."""
    UNREADABLE_LOG = "unreadable_log"
    """The detail log is no log of LoadGen 1.0 or later, or is too large to be read."""
    UNREADABLE = "unreadable_summary"
    """The summary has no headline that could be read."""
    NO_SYSTEM = "no_system_description"
    """The description of the system is missing or cannot be read; accelerators are unknown."""
    ACCURACY = "accuracy_does_not_add_up"
    """The stated accuracy is no share of a hundred, not what its own counts give, or names no accuracy log."""
    NO_ACCURACY = "no_accuracy"
    """No accuracy is stated beside the result."""

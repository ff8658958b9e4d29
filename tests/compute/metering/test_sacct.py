"""Reading exports: headers, Open XDMoD's order, lines that cannot be used, and the lines of other clusters."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from bitgoeul.compute.metering import LeftOut, Reader, RecordState
from bitgoeul.compute.metering.sacct import XDMOD_ORDER, elements
from bitgoeul.compute.metering.stamps import duration, moment
from bitgoeul.compute.metering.states import PHASES
from bitgoeul.kernel.errors import BadInput

from .lines import export, line, one, read

UTC = ZoneInfo("UTC")
XDMOD = (
    "163485|163485|moa|p|q|acct|grp|45|ara|38|2016-12-22T07:15:12|2016-12-22T07:15:12|2016-12-22T07:15:13|"
    "2017-01-01T20:42:19|10-13:27:06|0:0|CANCELLED by 380693|1|12|12|31000Mn|cpu=12,node=1|"
    "billing=12,cpu=12,gres/gpu=2,mem=31000M,node=1|37-14:00:00|n1|a name | with a bar"
)


def test_without_a_header_the_columns_are_in_the_order_of_open_xdmod():
    (record,), reader = read(XDMOD, header=False)
    assert (record.raw_id, record.account, record.user, record.state) == ("163485", "acct", "ara", "CANCELLED")
    assert (record.elapsed, record.end - record.start) == (912_426, 912_426)
    assert (record.allocated.cores_milli, record.allocated.devices) == (12_000, {"gpu": 2000})
    assert not reader.left_out
    assert len(XDMOD_ORDER) == 26


def test_a_header_names_the_columns_in_any_order_and_case_with_a_bar_at_the_end_or_without():
    names = "STATE|submit|Start|End|ElapsedRaw|AllocTRES|JobID|"
    cells = "TIMEOUT|1480064400|1480064401|1480064411|10|cpu=1,node=1|9_4|"
    (record,), _ = read(names, cells, header=False)
    assert (record.raw_id, record.state, record.start, record.elapsed) == ("9_4", "TIMEOUT", 1_480_064_401, 10)


@pytest.mark.parametrize("last", ["Comment", "JobName"])
def test_a_bar_in_what_a_user_writes_takes_no_work_out_of_the_reading(last):
    names = f"State|Submit|Start|End|Elapsed|AllocTRES|JobID|{last}"
    cells = "COMPLETED|1480064400|1480064401|1480064411|10|cpu=1,node=1|9|free|work|here"
    (record,), reader = read(names, cells, header=False)
    assert (record.raw_id, record.elapsed) == ("9", 10)
    assert not reader.left_out


@pytest.mark.parametrize("missing", ["Submit", "Start", "End", "State", "AllocTRES", "Elapsed"])
def test_a_header_without_a_needed_column_is_refused_by_its_name_with_the_remedy(missing):
    lines = [each.replace(missing, "Other" + missing[:1]) for each in export()]
    with pytest.raises(BadInput) as refusal:
        list(Reader(cluster="moa", source_zone=UTC).records(lines))
    assert f"no column {missing}" in str(refusal.value.text)
    assert missing in str(refusal.value.remedy)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Start": "yesterday"}, LeftOut.TIME),
        ({"Start": "2026-11-25T25:00:00"}, LeftOut.TIME),
        ({"Start": "1889-01-01T00:00:00"}, LeftOut.TIME),
        ({"Submit": "Unknown"}, LeftOut.TIME),
        ({"End": "Unknown"}, LeftOut.TIME),
        ({"End": "2026-11-25T08:59:59"}, LeftOut.ENDS_BEFORE_START),
        ({"Elapsed": "-1:00:00"}, LeftOut.ELAPSED),
        ({"Elapsed": ""}, LeftOut.ELAPSED),
        ({"AllocTRES": "cpu=-2,node=1"}, LeftOut.TRES),
        ({"AllocTRES": "cpu=many"}, LeftOut.TRES),
        ({"AllocTRES": "cpu"}, LeftOut.TRES),
        ({"State": "DREAMING"}, LeftOut.STATE),
        ({"State": ""}, LeftOut.STATE),
        ({"JobID": "x", "JobIDRaw": "x"}, LeftOut.ID),
        ({"State": "PENDING"}, LeftOut.PENDING),
        ({"State": "REQUEUED", "End": "Unknown"}, LeftOut.PENDING),
    ],
)
def test_a_line_that_cannot_be_metered_is_counted_under_its_reason_and_the_rest_goes_on(changes, reason):
    records, reader = read(line(**changes), line(JobID="8"))
    assert [record.raw_id for record in records] == ["8"]
    assert (reader.left_out, reader.first_lines) == ({reason: 1}, {reason: 2})


def test_cut_and_strange_lines_never_stop_the_reading():
    records, reader = read("", "7|8", line()[:40], line() + "|more", "\0\0", line(), "가나다")
    assert (len(records), reader.left_out) == (2, {LeftOut.COLUMNS: 4})


def test_records_of_another_cluster_are_left_out_and_never_mixed_in():
    records, reader = read(line(Cluster="source"), line(Cluster="other", JobID="8"))
    assert (len(records), records[0].cluster, reader.left_out) == (1, "moa", {LeftOut.OTHER_CLUSTER: 1})
    with pytest.raises(BadInput, match="several clusters"):
        read(line(Cluster="other"), line(Cluster="moa"))


def test_elapsed_beyond_the_span_counts_as_the_span():
    assert one(Elapsed="02:00:00").elapsed == 3600


def test_a_suspended_job_that_runs_still_is_known_up_to_its_elapsed_and_suspended_time():
    record = one(State="SUSPENDED", End="Unknown", Elapsed="00:10:00", Suspended="00:20:00")
    assert (record.final, record.end - record.start, record.elapsed) == (False, 1800, 600)


def test_every_state_of_slurm_has_a_phase():
    assert set(PHASES) == set(RecordState)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10-13:27:06", 912_426), ("00:00:24", 24), ("01:30", 90), ("00:01.250", 1), ("86400", 86_400)],
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["2026-11-25", "2026-11-25 10:00:00", "２026-11-25T10:00:00", "2026-11-25T10:00:60"]
)
def test_what_is_no_stamp_is_refused(text):
    with pytest.raises(ValueError, match="time"):
        moment(text, UTC)


@pytest.mark.parametrize(
    ("job_id", "count"),
    [("7", 1), ("7_3", 1), ("7_[2-5]", 4), ("7_[0-10:5,40%2]", 4), ("7_[x]", 1), ("7_[5-2]", 1)],
)
def test_elements_of_an_array(job_id, count):
    assert elements(job_id) == count

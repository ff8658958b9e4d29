"""Published MLPerf results: read exactly where genuine ones are at hand.

An edit of a number that the detail log also has, or that can be derived from it, does not stay unnoticed.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from bitgoeul.published.mlperf import FINDINGS, Flag, NoResults, read_tree
from bitgoeul.site.cli import cli
from submissions import DETAIL, LABELS, Submission, line

GENUINE = Path(__file__).resolve().parents[3] / "shared" / "data" / "mlperf"
genuine = pytest.mark.skipif(not GENUINE.is_dir(), reason="needs the published results in ../shared/data/mlperf")


@pytest.fixture
def submission(tmp_path):
    return Submission(tmp_path)


def test_a_clean_result_has_no_remark(submission):
    result = submission.read()
    assert result.flags == ()
    assert result.to_json() == {
        "round": "v3.0", "division": "closed", "submitter": "Gaon", "system": "chip", "accelerators": 1,
        "benchmark": "resnet50", "scenario": "Offline", "log_scenario": "Offline", "inferred": False,
        "result": "VALID", "metric": "samples_per_second", "value": 1000.5, "unit": "samples/s",
        "inferred_value": None, "errors": 0, "accuracy": "top1 76.100%", "flags": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("Samples per second", "10005"),
        ("Samples per second", "1000.7"),
        ("90.00 percentile latency (ns)", "540000000001"),
        ("Scenario", "Server"),
        ("qsl_rng_seed", "10003631887983097365"),
        ("min_duration (ms)", "60000"),
        ("samples_per_query", "600001"),
        ("SUT name", "GAON2"),
        ("Samples per second", "a lot"),
    ],
)
def test_an_edited_summary_does_not_agree_with_its_log(submission, label, value):
    submission.said[label] = value
    assert Flag.DISAGREES in submission.read().flags


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("result_samples_per_second", 10_005.0),
        ("result_max_latency_ns", 59_970_015_000),
        ("result_90.00_percentile_latency_ns", 100),
        ("result_mean_latency_ns", 1),
        ("generated_samples_per_query", 700_000),
        ("result_min_duration_met", False),
        ("early_stopping_met", False),
    ],
)
def test_a_number_edited_in_both_logs_does_not_fit_the_others(submission, key, value):
    submission.logged[key] = value
    assert Flag.DOES_NOT_ADD_UP in submission.read().flags


SERVER = {
    "effective_scenario": "Server", "result_scheduled_samples_per_sec": 1000.5, "generated_query_count": 600_300,
    "generated_samples_per_query": 1, "generated_query_duration": 600_000_000_000,
}  # fmt: skip


@pytest.fixture
def server(submission):
    submission.scenario = "Server"
    submission.logged |= SERVER
    del submission.logged["result_samples_per_second"]
    submission.said |= {"Samples per second": "", "Scheduled samples per second": 1000.5}
    return submission


def test_a_server_rate_that_fits_its_schedule_has_no_remark(server):
    result = server.read()
    assert (result.metric, result.value, result.flags) == ("scheduled_samples_per_second", 1000.5, ())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("result_scheduled_samples_per_sec", 1001.0),
        ("generated_query_duration", 60_000_000_000),
        ("generated_query_duration", 0),
        ("generated_query_count", None),
    ],
)
def test_a_server_rate_changed_in_both_logs_does_not_fit_its_schedule(server, key, value):
    server.logged[key] = value
    server.said["Scheduled samples per second"] = server.logged["result_scheduled_samples_per_sec"]
    assert server.read().flags == (Flag.DOES_NOT_ADD_UP,)


@pytest.mark.parametrize(
    "key", ["result_samples_per_second", "result_validity", "effective_scenario", "effective_test_mode"]
)
def test_what_a_result_rests_on_has_to_be_in_its_log(submission, key):
    submission.said |= {label: submission.logged[of] for label, of in LABELS.items()}
    del submission.logged[key]
    result = submission.read()
    assert result.flags == (Flag.NOT_IN_LOG,)
    assert Flag.NOT_IN_LOG in FINDINGS


@pytest.mark.parametrize("queries", [False, True])
def test_the_headline_of_a_stream_is_held_against_its_percentile_in_the_log(submission, queries):
    submission.scenario = "MultiStream" if queries else "SingleStream"
    submission.logged |= {
        "effective_scenario": submission.scenario, "result_99.00_percentile_per_query_latency_ns": 595_000_000_000,
    }  # fmt: skip
    headline = "99th percentile latency (ns)" if queries else "90.0th percentile latency (ns)"
    submission.said[headline] = 595_000_000_001 if queries else 540_000_000_001
    if queries:
        submission.said["99.00 percentile latency (ns)"] = 595_000_000_000
        submission.said["90.00 percentile latency (ns)"] = ""
    assert Flag.DISAGREES in submission.read().flags


ENDLESS = "9" * 400


@pytest.mark.parametrize(
    "value", ["Infinity", "-Infinity", "NaN", "1e999", ENDLESS, "9" * 5000, "[" * 900 + "]" * 900]
)
@pytest.mark.parametrize(
    "key",
    [
        "generated_query_count", "result_samples_per_second", "result_max_latency_ns", "effective_qsl_rng_seed",
        "effective_performance_sample_count", "power_begin", "result_validity",
    ],
)  # fmt: skip
def test_a_hostile_log_does_not_keep_the_rest_of_a_tree_from_being_read(submission, key, value):
    after = Submission(submission.root)
    after.submitter = "Later"
    after.logged["sut_name"] = "LATER"
    after.write()
    run = submission.write()
    kept = [each for each in (run / DETAIL).read_text().splitlines(keepends=True) if f'"{key}"' not in each]
    (run / DETAIL).write_text(
        "".join([*kept, f':::MLLOG {{"key": "{key}", "value": {value}, "metadata": {{}}}}\n'])
    )
    hostile, clean = read_tree(submission.root)
    assert (hostile.value, clean.flags) == (1000.5, ())
    wanted = {
        "generated_query_count": Flag.DOES_NOT_ADD_UP, "result_max_latency_ns": Flag.DOES_NOT_ADD_UP,
        "result_samples_per_second": Flag.NOT_IN_LOG, "result_validity": Flag.NOT_IN_LOG,
    }  # fmt: skip
    assert wanted.get(key) in (None, *hostile.flags)


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", "1e999", ENDLESS, "9" * 5000, "١٠٠٠", "1_000"])
def test_a_headline_that_is_no_number_is_null_in_json(submission, value):
    submission.said |= {"Samples per second": value, "Mean latency (ns)": value}
    submission.tail = "9" * 5000 + " errors encountered. See detailed log.\n"
    submission.write()
    done = CliRunner().invoke(cli, ["evidence", "import", str(submission.root), "--dry-run", "--json"])
    assert done.exit_code == 1, done.exception
    row = json.loads(done.stdout, parse_constant=pytest.fail)
    assert row["value"] is None
    assert {"unreadable_summary", "disagrees_with_log"} <= set(row["flags"])


@pytest.mark.parametrize("mean", ["1e-300", "nan", "0"])
def test_nothing_is_inferred_from_no_time_at_all(submission, mean):
    submission.logged["effective_scenario"] = "SingleStream"
    submission.said["Mean latency (ns)"] = mean
    assert submission.read().inferred_value is None


@pytest.mark.parametrize("count", ["Infinity", "NaN", ENDLESS, "9" * 5000, '"' + ENDLESS + '"', "-1", "[]"])
def test_of_a_hostile_description_the_accelerators_are_unknown(submission, count):
    run = submission.write()
    (run.parents[5] / "systems" / "chip.json").write_text(
        f'{{"status": "available", "number_of_nodes": {count}, "accelerators_per_node": 1}}'
    )
    (result,) = read_tree(submission.root)
    assert (result.accelerators, result.value) == (None, 1000.5)


@pytest.mark.parametrize("zone", ["NaN", "1e13", ENDLESS, "32400"])
def test_a_hostile_meter_tells_nothing(submission, zone):
    submission.logged |= {"power_begin": "11-26-2026 01:00:00.000", "power_end": "11-26-2026 02:00:00.000"}
    run = submission.write()
    (run.parent / "power").mkdir()
    (run.parent / "power" / "server.json").write_text(f'{{"timezone": {zone}}}')
    (run / "spl.txt").write_text(
        "Time,12-31-9999 23:59:59.999,Watts,1e308\nTime,12-31-9999 23:59:59.999,Watts,9,\n"
        "Time,11-26-2026 01:30:00.000,Watts,1e308\nTime,11-26-2026 01:30:00.000,Watts,1e308,\n"
    )
    (result,) = read_tree(submission.root)
    assert result.flags == (Flag.NO_POWER,)


HASH = f"hash={7:064x}\n"


@pytest.mark.parametrize(
    ("text", "accuracy"),
    [
        ("accuracy=77.100%, good=38050, total=50000\n" + HASH, "top1 77.100%"),
        ("accuracy=76.100%, good=38051, total=50000\n" + HASH, "top1 76.100%"),
        ("accuracy=100.000%, good=0, total=0\n" + HASH, "top1 100.000%"),
        ("accuracy=76.100%\n" + HASH, "top1 76.100%"),
        ("accuracy=76.100%, good=38050, total=50000\n", "top1 76.100%"),
        ("accuracy=76.100%, good=38050, total=50000\nhash=\n", "top1 76.100%"),
        ("mAP=120.5%\n" + HASH, "mAP 120.5%"),
        ('{"f1": 100.5}\n' + HASH, "F1 100.500"),
        ("{'rouge1': 445.629}\n" + HASH, "rouge1 445.629"),
    ],
)
def test_an_accuracy_that_its_own_file_does_not_bear_is_named(submission, text, accuracy):
    submission.accuracy = text
    result = submission.read()
    assert (result.accuracy, result.flags) == (accuracy, (Flag.ACCURACY,))
    assert Flag.ACCURACY in FINDINGS


@pytest.mark.parametrize("text", ["mAP=22.1%\n", '{"exact_match": 83.1, "f1": 90.38}\n', "{'rouge1': 44.5}\n"])
def test_an_accuracy_without_counts_needs_its_hash_alone(submission, text):
    submission.accuracy = text + HASH
    assert submission.read().flags == ()


@genuine
@pytest.mark.parametrize(
    ("run", "least"),
    [
        ("v4.1/closed/NVIDIA/results/H200-SXM-141GB-CTSx1_TRT/llama2-70b-99/Server", 50),
        ("v4.1/closed/NVIDIA/results/H200-SXM-141GBx1_TRT/gptj-99/Server", 25),
        ("v3.0/closed/Dell/results/XE2420_T4x1_TRT/resnet50/MultiStream", 25),
    ],
)
def test_every_number_of_a_genuine_summary_that_the_log_has_is_held_against_it(tmp_path, run, least):
    where = (
        tmp_path
        / "v0.0"
        / "closed"
        / "x"
        / "results"
        / "y"
        / "z"
        / run.rpartition("/")[2]
        / "performance"
        / "run_1"
    )
    where.mkdir(parents=True)
    source = GENUINE / run / "performance" / "run_1"
    (where / DETAIL).write_bytes((source / DETAIL).read_bytes())
    lines = (source / "mlperf_log_summary.txt").read_text().splitlines()
    numbers = [number for number, text in enumerate(lines) if re.search(r":\s*[0-9.]+$", text)]
    assert len(numbers) >= least
    for number in numbers:
        changed = re.sub(r"[0-9.]+$", lambda found: f"{float(found[0]) * 2 + 2:.4f}", lines[number])
        (where / "mlperf_log_summary.txt").write_text("\n".join([*lines[:number], changed, *lines[number + 1 :]]))
        (result,) = read_tree(where)
        assert Flag.DISAGREES in result.flags, changed


def test_invalid_and_errors_are_named(submission):
    submission.logged["result_validity"] = "INVALID"
    assert Flag.INVALID in submission.read().flags


def test_an_error_line_under_a_valid_result_is_counted(submission):
    submission.lines.append(line("error_generic_message", "lost a sample", is_error=True))
    result = submission.read()
    assert (result.errors, Flag.ERRORS in result.flags, Flag.DISAGREES in result.flags) == (1, True, True)


def test_an_error_that_both_logs_tell_of_is_an_error_under_valid(submission):
    submission.lines.append(line("error_generic_message", "lost a sample", is_error=True))
    submission.tail = "1 error encountered. See detailed log.\n"
    result = submission.read()
    assert (result.errors, result.flags) == (1, (Flag.ERRORS,))


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"division": "open"}, Flag.OPEN),
        ({"system": {"status": "preview", "number_of_nodes": 1, "accelerators_per_node": 1}}, Flag.PREVIEW),
        ({"system": {"status": "rdi", "number_of_nodes": 1, "accelerators_per_node": 1}}, Flag.RDI),
        ({"system": {"status": "available", "number_of_nodes": 2, "accelerators_per_node": "4"}}, Flag.SEVERAL),
        ({"system": []}, Flag.NO_SYSTEM),
        ({"accuracy": "nothing"}, Flag.NO_ACCURACY),
        ({"scenario": "Server"}, Flag.WRONG_SCENARIO),
    ],
)
def test_what_surrounds_a_result_is_said(submission, changes, flag):
    for name, value in changes.items():
        setattr(submission, name, value)
    assert flag in submission.read().flags


def test_the_same_log_twice_is_a_duplicate(submission):
    run = submission.write()
    again = Submission(submission.root)
    again.division = "open"
    again.write()
    first, second = read_tree(submission.root)
    assert (Flag.DUPLICATE in first.flags, Flag.DUPLICATE in second.flags) == (False, True)
    (alone,) = read_tree(run)
    assert (alone.round, alone.system, alone.flags) == ("v3.0", "chip", ()), "any level of a tree"


@pytest.mark.parametrize("text", ["", "0ns : an older log\n", ":::MLLOG {broken\n", ":::MLLOG [1]\n"])
def test_a_log_that_cannot_be_read_is_named(submission, text):
    run = submission.write()
    (run / "mlperf_log_detail.txt").write_text(text)
    (result,) = read_tree(run)
    assert Flag.UNREADABLE_LOG in result.flags
    (run / "mlperf_log_detail.txt").unlink()
    (result,) = read_tree(run)
    assert Flag.NO_LOG in result.flags


def test_compliance_runs_and_rehearsals_are_no_results_and_links_are_not_followed(submission):
    run = submission.write()
    elsewhere = submission.root / "v3.0" / "closed" / "Gaon" / "compliance" / "chip" / "performance"
    elsewhere.mkdir(parents=True)
    (elsewhere / "run_1").symlink_to(run)
    (submission.root / "again").symlink_to(submission.root / "v3.0")
    assert len(list(read_tree(submission.root))) == 1
    with pytest.raises(NoResults):
        list(read_tree(elsewhere.parent))


def test_the_command_prints_rows_and_says_what_needs_a_look(submission):
    submission.said["Samples per second"] = "99999"
    run = submission.write()
    done = CliRunner().invoke(cli, ["evidence", "import", str(submission.root), "--dry-run", "--json"])
    assert done.exit_code == 1
    assert [json.loads(row)["flags"] for row in done.stdout.splitlines()] == [["disagrees_with_log"]]
    for path, words in (
        (run / "none", "cannot be read"),
        (submission.root / "v3.0" / "closed" / "Gaon" / "systems", "no performance run"),
    ):
        done = CliRunner().invoke(cli, ["evidence", "import", str(path), "--dry-run"])
        assert (done.exit_code, words in done.output) == (2, True), done.output
    kept = CliRunner().invoke(cli, ["evidence", "import", str(run)])
    assert (kept.exit_code, "--dry-run" in kept.output) == (2, True)


def test_a_linked_file_is_not_read(submission, tmp_path_factory):
    run, elsewhere = submission.write(), tmp_path_factory.mktemp("elsewhere")
    for file, flag in (
        (run.parents[5] / "systems" / "chip.json", Flag.NO_SYSTEM),
        (run.parents[1] / "accuracy" / "accuracy.txt", Flag.NO_ACCURACY),
        (run / DETAIL, Flag.NO_LOG),
    ):
        file.rename(elsewhere / file.name)
        file.symlink_to(elsewhere / file.name)
        (result,) = read_tree(submission.root)
        assert flag in result.flags
    summary = run / "mlperf_log_summary.txt"
    summary.rename(elsewhere / summary.name)
    summary.symlink_to(elsewhere / summary.name)
    with pytest.raises(NoResults):
        list(read_tree(submission.root))


def test_a_folder_whose_name_is_no_text_is_told_as_far_as_it_can_be_printed(submission):
    system = submission.write().parents[3]
    system.rename(system.with_name("chip\udcff"))
    for words in ([], ["--json"]):
        done = CliRunner().invoke(cli, ["evidence", "import", str(submission.root), "--dry-run", *words])
        assert (done.exit_code, "chip?" in done.stdout) == (0, True), done.exception


@genuine
def test_every_genuine_result_is_read_exactly_and_raises_no_alarm():
    with (GENUINE / "RESULTS.csv").open(encoding="utf-8") as file:
        wanted = {
            tuple(
                row[name] for name in ("round", "division", "submitter", "system", "benchmark", "scenario_dir")
            ): row
            for row in csv.DictReader(file)
        }
    flags: Counter[Flag] = Counter()
    for each in read_tree(GENUINE):
        row = wanted.pop((each.round, each.division, each.submitter, each.system, each.benchmark, each.scenario))
        told = (each.log_scenario, str(each.inferred), each.result, each.metric, each.accuracy)
        assert told == tuple(row[name] for name in ("log_scenario", "inferred", "result", "metric", "accuracy"))
        assert (each.accelerators, each.errors) == (int(row["n_accel"]), int(row["errors"]))
        assert each.value == float(row["value"])
        assert each.inferred_value == (float(row["inferred_value"]) if row["inferred_value"] else None)
        flags.update(each.flags)
    assert wanted == {}
    assert flags == {Flag.PREVIEW: 23, Flag.RDI: 18, Flag.POWER: 7, Flag.INFERRED: 2}


@genuine
@pytest.mark.parametrize(
    ("run", "watts"),
    [
        ("v2.1/closed/Dell/results/XR12_A2x1_TRT_MaxQ/resnet50/Offline", 266.9),
        ("v3.0/closed/NVIDIA/results/Orin_TRT_MaxQ/resnet50/Offline", 22.66),
    ],
)
def test_wall_power_is_that_of_the_runs_own_window(run, watts):
    (result,) = read_tree(GENUINE / run)
    assert result.power.watts == pytest.approx(watts, rel=0.001)

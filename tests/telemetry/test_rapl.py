"""A tree as Linux' powercap makes it, in a real directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bitgoeul.telemetry import Boundary, Cause
from bitgoeul.telemetry.rapl import RaplReader

RANGE_UJ = 262_143_328_850


def zone(root: Path, directory: str, name: str, energy_uj: object, range_uj: object = RANGE_UJ) -> Path:
    path = root / directory
    path.mkdir(exist_ok=True, parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{energy_uj}\n")
    (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return path


def test_packages_memory_and_platform_but_no_part_twice(tmp_path):
    (tmp_path / "intel-rapl").mkdir()
    zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 4_000_000)
    zone(tmp_path, "intel-rapl:0:1", "dram", 700_900)
    zone(tmp_path, "intel-rapl:1", "package-1", 6_000_000)
    zone(tmp_path, "intel-rapl:2", "psys", 9_000_000)
    zone(tmp_path, "intel-rapl-mmio:0", "package-0", 1)
    samples = RaplReader(tmp_path).read().samples
    told = [(each.uuid, each.boundary, each.index, each.energy_mj) for each in samples]
    assert told == [
        ("intel-rapl:0", Boundary.PACKAGE, 0, 5_000),
        ("intel-rapl:0:1", Boundary.MEMORY, 0, 700),
        ("intel-rapl:1", Boundary.PACKAGE, 1, 6_000),
        ("intel-rapl:2", Boundary.PLATFORM, 2, 9_000),
    ]
    assert all(each.power_mw is None for each in samples)


def test_a_counter_that_begins_again_is_carried_on(tmp_path):
    path = zone(tmp_path, "intel-rapl:0", "package-0", RANGE_UJ - 1_000_000)
    reader = RaplReader(tmp_path)
    (first,) = reader.read().samples
    for energy_uj in (2_000_000, 5_000_000, 1_000_000):
        (path / "energy_uj").write_text(str(energy_uj))
        (last,) = reader.read().samples
    used_mj = (1_000_000 + 1_000_000 + RANGE_UJ) // 1_000
    assert last.energy_mj - first.energy_mj in (used_mj, used_mj + 1)


@pytest.mark.parametrize("energy", ["", "many", "-1", str(2**64)])
def test_a_counter_that_is_no_number_is_named(tmp_path, energy):
    zone(tmp_path, "intel-rapl:0", "package-0", energy)
    assert RaplReader(tmp_path).read().cause is Cause.MALFORMED


def test_a_zone_without_its_counter_is_named(tmp_path):
    (zone(tmp_path, "intel-rapl:0", "package-0", 1) / "energy_uj").unlink()
    reading = RaplReader(tmp_path).read()
    assert (reading.cause, "energy_uj" in reading.detail) == (Cause.MALFORMED, True)


def test_no_tree_and_an_empty_one_are_no_device(tmp_path):
    assert RaplReader(tmp_path / "nothing").read().cause is Cause.NO_DEVICE
    assert RaplReader(tmp_path).read().cause is Cause.NO_DEVICE


def test_a_pipe_in_place_of_a_counter_is_not_waited_for(tmp_path):
    path = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    (path / "energy_uj").unlink()
    os.mkfifo(path / "energy_uj")
    assert RaplReader(tmp_path).read().cause is Cause.MALFORMED


def test_a_counter_that_this_user_may_not_read_says_so(tmp_path):
    path = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    (path / "energy_uj").chmod(0)
    child = os.fork()
    if child == 0:  # root reads everything: become nobody for the read
        status = 9
        try:
            for up in (tmp_path, *tmp_path.parents):
                if up.owner() == "root" and up != Path("/"):
                    up.chmod(up.stat().st_mode | 0o055)
            if os.getuid() == 0:
                os.setuid(65534)
            status = 0 if RaplReader(tmp_path).read().cause is Cause.NOT_ALLOWED else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

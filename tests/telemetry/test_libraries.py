"""Readers over vendors' libraries: with the real package and no hardware, and with what a driver would answer."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pynvml
import pytest

from bitgoeul.telemetry import Boundary, Cause
from bitgoeul.telemetry import furiosa as furiosa_reader
from bitgoeul.telemetry import nvml as nvml_reader
from bitgoeul.telemetry.furiosa import FuriosaReader
from bitgoeul.telemetry.nvml import NvmlReader


def test_nvml_without_a_driver_says_so():
    """The real package; on a machine with a driver it reads cards instead."""
    reading = NvmlReader().read()
    if reading.samples:
        assert all(each.boundary in (Boundary.CARD, None) for each in reading.samples)
        return
    assert reading.cause is Cause.NO_DRIVER
    assert "driver" in reading.why
    assert reading.remedy


@pytest.mark.parametrize(("reader", "module"), [(NvmlReader, "pynvml"), (FuriosaReader, "furiosa_smi_py")])
def test_a_library_that_is_not_installed_is_named(monkeypatch, reader, module):
    monkeypatch.setitem(sys.modules, module, None)
    reading = reader().read()
    assert reading.cause is Cause.NOT_INSTALLED
    assert reading.detail in ("nvidia-ml-py", "furiosa-smi-py")


def nvml(**changes):
    """What NVML's calls give for one card, with the real package's own error classes."""

    def refuse(*_asked):
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    calls = {
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=3 * 2**30, total=80 * 2**30),
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=42, memory=7),
        "nvmlDeviceGetPowerUsage": 251_234,
        "nvmlDeviceGetTotalEnergyConsumption": 13_948_734_901,
        "nvmlDeviceGetCurrentClocksEventReasons": 0x4 | 0x40 | 0x10000,
        "nvmlDeviceGetUUID": "GPU-1",
        "nvmlDeviceGetName": b"NVIDIA H100",
        "nvmlDeviceGetTemperature": 61,
        "nvmlDeviceGetClockInfo": 1980,
        **changes,
    }
    answers = {
        name: refuse if value is None else (lambda *_asked, value=value: value) for name, value in calls.items()
    }
    constants = {"NVML_TEMPERATURE_GPU": 0, "NVML_CLOCK_SM": 1, "NVMLError": pynvml.NVMLError}
    return SimpleNamespace(**answers, **constants)


def test_a_card_by_nvml():
    card = nvml_reader.sample(nvml(), None, 3)
    assert (card.index, card.uuid, card.model, card.boundary) == (3, "GPU-1", "NVIDIA H100", Boundary.CARD)
    assert (card.power_mw, card.energy_mj, card.busy_permille) == (251_234, 13_948_734_901, 420)
    assert (card.memory_used_mib, card.memory_total_mib, card.clock_mhz) == (3_072, 81_920, 1_980)
    assert card.throttle == ("sw_power_cap", "hw_thermal_slowdown", "bit_0x10000")


def test_what_a_card_does_not_tell_is_none_and_never_nought():
    silent = dict.fromkeys(
        ("nvmlDeviceGetPowerUsage", "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetUtilizationRates")
    )
    card = nvml_reader.sample(nvml(**silent, nvmlDeviceGetCurrentClocksEventReasons=None), None, 0)
    assert (card.power_mw, card.energy_mj, card.busy_permille, card.boundary) == (None, None, None, None)
    assert card.throttle is None
    assert nvml_reader.sample(nvml(nvmlDeviceGetCurrentClocksEventReasons=0), None, 0).throttle == ()


def driver(monkeypatch, codes):
    """A driver whose cards answer, or say an error of NVML by its code; gives what counts its starts."""
    started = []

    def handle(index):
        if codes[index] is not None:
            raise pynvml.NVMLError(codes[index])

    library = nvml()
    library.nvmlInit = lambda: started.append(1)
    library.nvmlDeviceGetCount = lambda: len(codes)
    library.nvmlDeviceGetHandleByIndex = handle
    monkeypatch.setitem(sys.modules, "pynvml", library)
    return started


def test_a_card_that_is_lost_costs_the_others_nothing(monkeypatch):
    started = driver(monkeypatch, [None, pynvml.NVML_ERROR_GPU_IS_LOST, None])
    reader = NvmlReader()
    for _ in range(2):
        reading = reader.read()
        assert reading.cause is None
        assert [each.index for each in reading.samples] == [0, 2]
    assert len(started) == 1


def test_when_all_cards_are_lost_it_says_so_and_does_not_start_the_library_again(monkeypatch):
    started = driver(monkeypatch, [pynvml.NVML_ERROR_GPU_IS_LOST] * 2)
    reader = NvmlReader()
    for _ in range(2):
        reading = reader.read()
        assert reading.cause is Cause.BROKEN
        assert "lost" in reading.detail
    assert len(started) == 1


def test_a_library_that_ended_is_started_again(monkeypatch):
    codes = [pynvml.NVML_ERROR_UNINITIALIZED]
    started = driver(monkeypatch, codes)
    reader = NvmlReader()
    assert reader.read().cause is Cause.BROKEN
    codes[0] = None
    assert reader.read().samples
    assert len(started) == 2


def test_the_words_for_throttling_are_those_of_the_library():
    names = {
        "GpuIdle": "gpu_idle",
        "ApplicationsClocksSetting": "applications_clocks_setting",
        "SwPowerCap": "sw_power_cap",
        "HwSlowdown": "hw_slowdown",
        "SyncBoost": "sync_boost",
        "SwThermalSlowdown": "sw_thermal_slowdown",
        "HwThermalSlowdown": "hw_thermal_slowdown",
        "HwPowerBrakeSlowdown": "hw_power_brake_slowdown",
        "DisplayClockSetting": "display_clock_setting",
    }
    for name, word in names.items():
        assert nvml_reader.throttle_words(getattr(pynvml, f"nvmlClocksEventReason{name}")) == (word,)


def furiosa(**changes):
    """A card in the shape of furiosa_smi_py 2026.1: every value is the answer of a method."""

    def answers(**values):
        return SimpleNamespace(**{name: (lambda value=value: value) for name, value in values.items()})

    def refuse():
        raise RuntimeError("Unsupported")

    block = answers(in_use_bytes=2**30, total_bytes=24 * 2**30)
    memory = answers(dram=answers(memory=[block]), dram_shared=answers(memory=[block]))
    device = answers(
        device_info=answers(name="npu2", index=5, uuid="0951", arch="Arch.Rngd"),
        power_consumption=37.44,
        memory_utilization=memory,
        device_temperature=answers(soc_peak=67.756),
        core_frequency=answers(pe_frequency=[answers(frequency=1_750), answers(frequency=1_500)]),
        throttle_reason=0b101,
    )
    for name in changes:
        setattr(device, name, refuse)
    cores = [answers(pe_usage_percentage=99.68), answers(pe_usage_percentage=0.1)]
    return device, SimpleNamespace(get_core_utilization=lambda _device: cores)


def test_a_card_by_furiosas_library():
    library = SimpleNamespace(THROTTLE_REASON_NONE=0, THROTTLE_REASON_IDLE=1, THROTTLE_REASON_THERMAL_SLOWDOWN=2)
    device, observer = furiosa()
    card = furiosa_reader.sample(library, device, observer)
    assert (card.index, card.uuid, card.model, card.boundary) == (2, "0951", "rngd", Boundary.CARD)
    assert (card.power_mw, card.busy_permille, card.temperature_celsius) == (37_440, 499, 68)
    assert (card.memory_used_mib, card.memory_total_mib, card.clock_mhz) == (2_048, 49_152, 1_625)
    assert card.throttle == ("idle", "bit_0x4")


def test_what_furiosas_library_does_not_tell_is_none():
    device, _observer = furiosa(power_consumption=1, memory_utilization=1, throttle_reason=1)
    card = furiosa_reader.sample(SimpleNamespace(), device, None)
    assert (card.power_mw, card.boundary, card.memory_used_mib, card.busy_permille) == (None, None, None, None)
    assert card.throttle is None

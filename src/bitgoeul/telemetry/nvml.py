"""NVIDIA's cards by their driver's library (NVML), over the package ``nvidia-ml-py``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .exporters import MIB
from .reading import DEVICES_MAX, Cause, Failed, Reading, plain, reading
from .samples import Boundary, Sample

PACKAGE = "nvidia-ml-py"
# Bits of nvmlClocksEventReasons by NVIDIA's reference; an unknown bit is told by its number.
THROTTLE_BITS = {
    0x1: "gpu_idle",
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
}
ERROR_CAUSES = {
    "NVMLError_LibraryNotFound": Cause.NO_DRIVER,
    "NVMLError_DriverNotLoaded": Cause.NO_DRIVER,
    "NVMLError_LibRmVersionMismatch": Cause.NO_DRIVER,
    "NVMLError_NoPermission": Cause.NOT_ALLOWED,
    "NVMLError_Timeout": Cause.TOO_SLOW,
}
# What is wrong with one card alone; the others are read on.
OF_ONE_CARD = (
    "NVMLError_GpuIsLost",
    "NVMLError_ResetRequired",
    "NVMLError_IrqIssue",
    "NVMLError_InsufficientPower",
    "NVMLError_NoPermission",
)
# What a card may not have, or may not tell this user: then nobody measured it.
SILENT = ("NVMLError_NotSupported", "NVMLError_NoPermission", "NVMLError_NoData", "NVMLError_Unknown")


class NvmlReader:
    """Reads every card that the driver shows to this process; one that is lost or not allowed is left out.

    The driver's calls are not bounded by us: whoever must not wait reads in a thread of its own.
    """

    name = "nvml"

    def __init__(self) -> None:
        self._library: Any = None

    def read(self) -> Reading:
        """See the protocol."""
        return reading(self.name, self._read)

    def _read(self) -> list[Sample]:
        library = self._started()
        try:
            count = min(library.nvmlDeviceGetCount(), DEVICES_MAX)
            read = [_or_why_not(library, index) for index in range(count)]
        except library.NVMLError as error:
            self._library = None
            raise failure(error) from error
        samples = [each for each in read if isinstance(each, Sample)]
        failed = [each for each in read if isinstance(each, Failed)]
        if failed and not samples:
            raise failed[0]
        return samples

    def _started(self) -> Any:
        if self._library is None:
            try:
                library: Any = importlib.import_module("pynvml")
            except ImportError as error:
                raise Failed(Cause.NOT_INSTALLED, PACKAGE) from error
            try:
                library.nvmlInit()
            except library.NVMLError as error:
                raise failure(error) from error
            self._library = library
        return self._library


def _or_why_not(library: Any, index: int) -> Sample | Failed:
    """One card, or what is wrong with this card alone; raises any other error of the library."""
    try:
        return sample(library, library.nvmlDeviceGetHandleByIndex(index), index)
    except library.NVMLError as error:
        if type(error).__name__ in OF_ONE_CARD:
            return failure(error)
        raise


def failure(error: Exception) -> Failed:
    """The cause that an error of NVML stands for."""
    return Failed(ERROR_CAUSES.get(type(error).__name__, Cause.BROKEN), str(error))


def sample(library: Any, handle: Any, index: int) -> Sample:
    """One card; ``library`` is ``pynvml`` started, or what answers like it."""

    def ask(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except library.NVMLError as error:
            if type(error).__name__ in SILENT:
                return None
            raise

    memory = ask(lambda: library.nvmlDeviceGetMemoryInfo(handle))
    rates = ask(lambda: library.nvmlDeviceGetUtilizationRates(handle))
    power = ask(lambda: library.nvmlDeviceGetPowerUsage(handle))
    energy = ask(lambda: library.nvmlDeviceGetTotalEnergyConsumption(handle))
    reasons = ask(lambda: library.nvmlDeviceGetCurrentClocksEventReasons(handle))
    measured = power is not None or energy is not None
    return Sample(
        reader=NvmlReader.name,
        boundary=Boundary.CARD if measured else None,
        index=index,
        uuid=plain(_text(ask(lambda: library.nvmlDeviceGetUUID(handle)))),
        model=plain(_text(ask(lambda: library.nvmlDeviceGetName(handle)))),
        power_mw=power,
        energy_mj=energy,
        busy_permille=None if rates is None else rates.gpu * 10,
        memory_used_mib=None if memory is None else memory.used // MIB,
        memory_total_mib=None if memory is None else memory.total // MIB,
        temperature_celsius=ask(
            lambda: library.nvmlDeviceGetTemperature(handle, library.NVML_TEMPERATURE_GPU),
        ),
        clock_mhz=ask(lambda: library.nvmlDeviceGetClockInfo(handle, library.NVML_CLOCK_SM)),
        throttle=None if reasons is None else throttle_words(reasons),
    )


def throttle_words(bits: int) -> tuple[str, ...]:
    """The reasons that bits stand for, lowest first."""
    found = [1 << place for place in range(bits.bit_length()) if bits >> place & 1]
    return tuple(THROTTLE_BITS.get(bit, f"bit_{bit:#x}") for bit in found)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")

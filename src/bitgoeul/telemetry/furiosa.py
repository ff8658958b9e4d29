"""FuriosaAI's cards by their vendor's package ``furiosa-smi-py``, if the operator has installed it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from .exporters import MIB
from .reading import Cause, Failed, Reading, half_up, plain, reading
from .samples import Boundary, Sample

PACKAGE = "furiosa-smi-py"
THROTTLE_PREFIX = "THROTTLE_REASON_"


class FuriosaReader:
    """Reads every card that the vendor's library lists.

    Use of the cores comes from the library's observer, which counts in the background from its first use: the
    first reading may be without it.
    """

    name = "furiosa"

    def __init__(self) -> None:
        self._library: Any = None
        self._observer: Any = None

    def read(self) -> Reading:
        """See the protocol."""
        return reading(self.name, self._read)

    def _read(self) -> list[Sample]:
        library = self._started()
        devices = list(library.list_devices())
        if not devices:
            raise Failed(Cause.NO_DEVICE)
        if self._observer is None:
            self._observer = _told(library.create_default_observer)
        return [sample(library, device, self._observer) for device in devices]

    def _started(self) -> Any:
        if self._library is None:
            try:
                library: Any = importlib.import_module("furiosa_smi_py")
            except ImportError as error:
                raise Failed(Cause.NOT_INSTALLED, PACKAGE) from error
            try:
                library.init()
            except RuntimeError as error:
                raise Failed(Cause.NO_DRIVER, str(error)) from error
            self._library = library
        return self._library


def sample(library: Any, device: Any, observer: Any) -> Sample:
    """One card; ``library`` is ``furiosa_smi_py`` started, or what answers like it."""
    info = device.device_info()
    name = str(info.name())
    power = _told(device.power_consumption)
    memory = _memory(device)
    reasons = _told(device.throttle_reason)
    return Sample(
        reader=FuriosaReader.name,
        boundary=None if power is None else Boundary.CARD,
        index=int(name.removeprefix("npu")) if name.removeprefix("npu").isdecimal() else int(info.index()),
        uuid=plain(str(info.uuid())),
        model=plain(str(info.arch()).rpartition(".")[2]).lower(),
        power_mw=None if power is None else half_up(power * 1000),
        busy_permille=_busy(device, observer),
        memory_used_mib=None if memory is None else memory[0] // MIB,
        memory_total_mib=None if memory is None else memory[1] // MIB,
        temperature_celsius=_whole(lambda: device.device_temperature().soc_peak()),
        clock_mhz=_clock(device),
        throttle=None if reasons is None else throttle_words(library, reasons),
    )


def throttle_words(library: Any, bits: int) -> tuple[str, ...]:
    """The reasons that bits stand for, by the library's own names for them."""
    names = {
        getattr(library, name): name.removeprefix(THROTTLE_PREFIX).lower()
        for name in dir(library)
        if name.startswith(THROTTLE_PREFIX) and getattr(library, name)
    }
    found = [1 << place for place in range(bits.bit_length()) if bits >> place & 1]
    return tuple(names.get(bit, f"bit_{bit:#x}") for bit in found)


def _busy(device: Any, observer: Any) -> int | None:
    cores = None if observer is None else _told(lambda: list(observer.get_core_utilization(device)))
    return _mean([each.pe_usage_percentage() * 10 for each in cores]) if cores else None


def _clock(device: Any) -> int | None:
    cores = _told(lambda: list(device.core_frequency().pe_frequency()))
    return _mean([each.frequency() for each in cores]) if cores else None


def _memory(device: Any) -> tuple[int, int] | None:
    """Bytes used and bytes there of the card's memory, the shared part too."""

    def blocks() -> list[Any]:
        told = device.memory_utilization()
        return [*told.dram().memory(), *told.dram_shared().memory()]

    found = _told(blocks)
    if not found:
        return None
    return sum(each.in_use_bytes() for each in found), sum(each.total_bytes() for each in found)


def _mean(values: Iterable[float]) -> int | None:
    found = list(values)
    return half_up(sum(found) / len(found)) if found else None


def _whole(call: Callable[[], float]) -> int | None:
    value = _told(call)
    return None if value is None else half_up(value)


def _told(call: Callable[[], Any]) -> Any:
    """What the library tells, or None where it says that it cannot; its errors are RuntimeError."""
    try:
        return call()
    except (RuntimeError, AttributeError):  # an older library lacks some of the questions
        return None

"""Slurm's trackable resources (TRES) as whole numbers. Pure.

Source: slurm.conf(5) AccountingStorageTRES, sacct(1) AllocTRES and ReqMem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

MILLI = 1000
GRES = "gres/"
# Kinds of gres/* that are shares or gauges of devices counted elsewhere.
NO_DEVICES = frozenset({"gpumem", "gpuutil", "shard", "mps"})
AMOUNT = re.compile(r"(\d{1,15})(?:\.(\d{1,9}))?([KMGTPE]?)", re.IGNORECASE)
POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
# Bits with which Slurm marks "for each CPU" in a memory figure, of 32 and of 64 bits.
PER_CPU_FLAGS = (1 << 63, 1 << 31)
PER_CPU_32_MAX = 1 << 32


@dataclass(frozen=True, slots=True)
class Tres:
    """One TRES text: cores and devices in thousandths, memory in MiB.

    ``devices`` is keyed ``gpu``, ``gpu:h100``, ``npu:atom`` …; the entries never count a device twice: where both
    ``gres/gpu`` and ``gres/gpu:type`` stand, ``gpu`` holds only what no type claims.
    """

    cores_milli: int = 0
    memory_mib: int = 0
    nodes: int = 0
    devices: Mapping[str, int] = field(default_factory=dict)

    def family_milli(self, family: str) -> int:
        """All devices of a family (``gpu``, ``npu``) in thousandths of a device."""
        return sum(amount for name, amount in self.devices.items() if name.partition(":")[0] == family)


NOTHING = Tres()


@lru_cache(maxsize=65536)
def parse_tres(text: str) -> Tres:
    """Read ``billing=12,cpu=12,gres/gpu:a100=2,mem=31000M,node=1``; an empty text is nothing at all.

    Raises ValueError for an amount that is none, or below zero.
    """
    if not text.strip():
        return NOTHING
    amounts: dict[str, str] = {}
    for part in text.split(","):
        name, equals, amount = part.strip().partition("=")
        if not equals:
            raise ValueError(f"no amount: {part}")
        amounts[name.lower()] = amount
    return Tres(
        cores_milli=milli(amounts.get("cpu", "0")),
        memory_mib=memory_mib(amounts.get("mem", "0")),
        nodes=milli(amounts.get("node", "0")) // MILLI,
        devices=_devices(amounts),
    )


def _devices(amounts: Mapping[str, str]) -> dict[str, int]:
    whole: dict[str, int] = {}
    typed: dict[str, int] = {}
    for name, amount in amounts.items():
        if not name.startswith(GRES):
            continue
        device = name.removeprefix(GRES)
        family = device.partition(":")[0]
        if family not in NO_DEVICES:
            (typed if ":" in device else whole)[device] = milli(amount)
    found = dict(typed)
    for family, total in whole.items():
        named = sum(amount for device, amount in typed.items() if device.partition(":")[0] == family)
        if total > named or not named:
            found[family] = max(0, total - named)
    return {device: amount for device, amount in found.items() if amount}


def milli(text: str) -> int:
    """A count in thousandths: ``2`` → 2000, ``0.25`` → 250; finer parts are cut off. Raises ValueError."""
    found = AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"no amount: {text}")
    whole, part, suffix = found.groups()
    thousandths = int(whole) * MILLI + int((part or "")[:3].ljust(3, "0"))
    return thousandths * int(1000 ** POWERS[suffix.upper()])


def memory_mib(text: str, *, cores: int = 1, nodes: int = 1) -> int:
    """Memory in whole MiB, cut off: ``62.50G`` → 64000, ``31000M``, ``31000Mn`` (a node), ``4Gc`` (a core).

    A figure without a suffix is in MiB. Slurm's own mark for "a core" inside the number is understood:
    2147486648Mn is 3000 MiB for each of ``cores``. Raises ValueError.
    """
    text = text.strip()
    scope = text[-1:].lower() if text[-1:].lower() in {"n", "c"} else ""
    found = AMOUNT.fullmatch(text[:-1] if scope else text)
    if found is None:
        raise ValueError(f"no amount of memory: {text}")
    whole, part, suffix = found.groups()
    if not part and suffix.upper() in {"", "M"} and (bare := _unmarked(int(whole))) is not None:
        return bare * cores
    scale = int(1024 ** POWERS[suffix.upper() or "M"])
    size = int(whole) * scale + int(part or "0") * scale // int(10 ** len(part or ""))
    return size * {"": 1, "n": nodes, "c": cores}[scope] // 1024**2


def _unmarked(number: int) -> int | None:
    """The figure without Slurm's mark for "a core"; None when it bears none."""
    high, low = PER_CPU_FLAGS
    if number >= high:
        return number - high
    return number - low if low <= number < PER_CPU_32_MAX else None

"""The units of account; a scale is fixed at the unit's birth and never changes.

Device and core time is kept in thousandths of a second by accelerator type, storage in whole MiB-hours
(byte-hours overflow 64 bits within a year of a large store), the rest in whole pieces.
"""

from __future__ import annotations

from bitgoeul.kernel.quantity import Unit
from bitgoeul.kernel.text import N_, Text

UNITS: tuple[Unit, ...] = (
    Unit("core_ms", 1000, Text(N_("CPU core-seconds"))),
    Unit("target_ms", 1000, Text(N_("software-target seconds"))),
    Unit("gpu_h100_ms", 1000, Text(N_("H100 seconds"))),
    Unit("npu_atom_ms", 1000, Text(N_("ATOM seconds"))),
    Unit("npu_rngd_ms", 1000, Text(N_("RNGD seconds"))),
    Unit("mib_hour", 1, Text(N_("MiB-hours"))),
    Unit("bench_minute", 1, Text(N_("bench minutes"))),
    Unit("site_day", 1, Text(N_("site days"))),
    Unit("desk_day", 1, Text(N_("desk days"))),
    Unit("advice_minute", 1, Text(N_("advice minutes"))),
    Unit("seat", 1, Text(N_("seats"))),
    Unit("krw", 1, Text(N_("KRW"))),
)
BY_CODE = {unit.code: unit for unit in UNITS}

"""Telemetry: what devices and machines measure of themselves, by readers that all tell it in the same words.

A reader never raises and never makes up a figure: it gives samples, or says why it has none and what to do.
"""

from .energy import Energy, NotMeasured, energy
from .reading import CAUSE_TEXTS, REMEDY_TEXTS, Cause, Reader, Reading
from .samples import BOUNDARY_TEXTS, Boundary, Sample
from .settings import TelemetrySettings
from .source import Source

__all__ = [
    "BOUNDARY_TEXTS",
    "CAUSE_TEXTS",
    "REMEDY_TEXTS",
    "Boundary",
    "Cause",
    "Energy",
    "NotMeasured",
    "Reader",
    "Reading",
    "Sample",
    "Source",
    "TelemetrySettings",
    "energy",
]

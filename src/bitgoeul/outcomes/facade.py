"""What others may ask of the outcomes room."""

from __future__ import annotations

from .finding import find_figures
from .queries import claims, figure, public_figures, withdrawn_count
from .services import (
    evidence_changed,
    evidence_invalidated,
    load_example,
    load_figures,
    load_indicators,
    look_again,
)
from .types import Bound, ClaimView, Counted, EvidenceFacts, FigureView, Report, VerifiedValue
from .words import reported

__all__ = [
    "Bound",
    "ClaimView",
    "Counted",
    "EvidenceFacts",
    "FigureView",
    "Report",
    "VerifiedValue",
    "claims",
    "evidence_changed",
    "evidence_invalidated",
    "figure",
    "find_figures",
    "load_example",
    "load_figures",
    "load_indicators",
    "look_again",
    "public_figures",
    "reported",
    "withdrawn_count",
]

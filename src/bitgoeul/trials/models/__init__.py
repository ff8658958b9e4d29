"""Tables of the trials room."""

from __future__ import annotations

from .core import Judgement, ProtocolVersion, Subject, SubjectVersion, Trial
from .evidence import Evidence, EvidenceInvalidation, EvidenceLog, EvidenceVisibility

__all__ = [
    "Evidence",
    "EvidenceInvalidation",
    "EvidenceLog",
    "EvidenceVisibility",
    "Judgement",
    "ProtocolVersion",
    "Subject",
    "SubjectVersion",
    "Trial",
]

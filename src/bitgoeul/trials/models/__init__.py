"""Tables of the trials room."""

from __future__ import annotations

from .core import Judgement, ProtocolVersion, Subject, SubjectVersion, Trial
from .evidence import Evidence, EvidenceInvalidation, EvidenceLog, EvidenceVisibility
from .published import PublishedImport, PublishedResult

__all__ = [
    "Evidence",
    "EvidenceInvalidation",
    "EvidenceLog",
    "EvidenceVisibility",
    "Judgement",
    "ProtocolVersion",
    "PublishedImport",
    "PublishedResult",
    "Subject",
    "SubjectVersion",
    "Trial",
]

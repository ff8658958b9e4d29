"""What the trials room refuses, each with its own code."""

from __future__ import annotations

from bitgoeul.kernel.errors import BadInput, Conflict, LimitReached
from bitgoeul.kernel.text import N_


class SubjectFileRefused(BadInput):
    """The subject's file cannot be taken."""

    code = "subject_file_refused"


class SameVersion(Conflict):
    """This very file is already a version of the subject."""

    code = "same_version"


class NameTaken(Conflict):
    """The project already has a subject of this name."""

    code = "name_taken"


class UnknownProtocol(BadInput):
    """There is no protocol version with this digest."""

    code = "unknown_protocol"


class TooManyTrials(LimitReached):
    """Too many trials of this project are still unfinished."""

    code = "too_many_trials"


DEFAULT_TEXTS = (
    N_("The subject's file cannot be taken."),
    N_("This very file is already a version of the subject."),
    N_("The project already has a subject of this name."),
    N_("There is no protocol version with this digest."),
    N_("Too many trials of this project are still unfinished."),
)

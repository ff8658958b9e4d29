"""Refusals of this room."""

from __future__ import annotations

from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, WrongState
from bitgoeul.kernel.text import N_


class BadCall(BadInput):
    """This call cannot be loaded."""

    code = "bad_call"


class PathNotSupported(BadCall):
    """This call needs a way of deciding that this installation does not have."""

    code = "decision_path_not_supported"


class BadAnswer(BadInput):
    """This answer is not one of the choices."""

    code = "bad_answer"


class CallClosed(WrongState):
    """This call does not take applications at the moment."""

    code = "call_closed"


class WrongDigest(Conflict):
    """You signed a text that is not the one of this agreement."""

    code = "wrong_digest"


class SameSigner(NotAllowed):
    """One person cannot sign for both sides."""

    code = "same_signer"


# The default texts above, marked for translation.
DEFAULT_TEXTS = (
    N_("This call cannot be loaded."),
    N_("This call needs a way of deciding that this installation does not have."),
    N_("This answer is not one of the choices."),
    N_("This call does not take applications at the moment."),
    N_("You signed a text that is not the one of this agreement."),
    N_("One person cannot sign for both sides."),
)

"""What other rooms may ask of the programmes room."""

from __future__ import annotations

from collections.abc import Mapping

from bitgoeul.kernel.clock import now

from .agreements import Side
from .finding import find_applications, find_calls
from .groups import group_titles, groups
from .partnerships import PartnershipLine, partnership_counts, record_partnerships
from .planning import plan as _plan
from .queries import (
    agreement,
    application,
    applications,
    call,
    calls_page,
    median_time_to_first_usable_minute,
    open_calls,
    to_sign,
    waiting,
)
from .questions import QUESTIONS, check_answers
from .services import apply, decide, load_call, load_example, sign, withdraw
from .states import APPLICATION, ApplicationState
from .types import (
    AgreementView,
    ApplicationView,
    DecisionView,
    OpenCall,
    Plan,
    SignatureView,
    TimeToFirstMinute,
    Words,
)
from .waiting import ToDecide, to_decide
from .words import say


def plan(*, answers: Mapping[str, object]) -> Plan:
    """The plan for these answers and the calls open now; raises BadAnswer for an answer that is no choice."""
    moment = now()
    return _plan(check_answers(answers), open_calls(moment), moment)


__all__ = [
    "APPLICATION",
    "QUESTIONS",
    "AgreementView",
    "ApplicationState",
    "ApplicationView",
    "DecisionView",
    "OpenCall",
    "PartnershipLine",
    "Plan",
    "Side",
    "SignatureView",
    "TimeToFirstMinute",
    "ToDecide",
    "Words",
    "agreement",
    "application",
    "applications",
    "apply",
    "call",
    "calls_page",
    "check_answers",
    "decide",
    "find_applications",
    "find_calls",
    "group_titles",
    "groups",
    "load_call",
    "load_example",
    "median_time_to_first_usable_minute",
    "open_calls",
    "partnership_counts",
    "plan",
    "record_partnerships",
    "say",
    "sign",
    "to_decide",
    "to_sign",
    "waiting",
    "withdraw",
]

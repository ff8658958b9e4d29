"""What one may do with calls, applications and agreements."""

from __future__ import annotations

from bitgoeul.accounts.facade import register_verb
from bitgoeul.accounts.types import OperatorRole, OrganisationRole, Verb
from bitgoeul.kernel.text import N_, Text

APPLICANTS = frozenset({OrganisationRole.OWNER, OrganisationRole.MEMBER})
OWNERS = frozenset({OrganisationRole.OWNER})
STAFF = frozenset({OperatorRole.STAFF})
WATCHERS = frozenset({OperatorRole.STAFF, OperatorRole.AUDITOR})

VERBS = (
    Verb("programmes.load_call", kind="call", label=Text(N_("Publish a call")), operator_roles=STAFF),
    Verb("programmes.apply", kind="organisation", label=Text(N_("Apply for an organisation")),
         organisation_roles=APPLICANTS),
    Verb("programmes.view_application", kind="application", label=Text(N_("See an application")),
         organisation_roles=APPLICANTS, operator_roles=WATCHERS),
    Verb("programmes.edit_application", kind="application", label=Text(N_("Change or withdraw an application")),
         organisation_roles=APPLICANTS),
    Verb("programmes.sign_as_applicant", kind="application", label=Text(N_("Sign for the applicant")),
         organisation_roles=OWNERS),
    Verb("programmes.sign_as_operator", kind="application", label=Text(N_("Sign for the operator")),
         operator_roles=STAFF),
    Verb("programmes.decide_application", kind="application", label=Text(N_("Decide an application")),
         operator_roles=STAFF),
    Verb("programmes.view_waiting", kind="installation", label=Text(N_("See the agreements to be signed")),
         operator_roles=WATCHERS),
    Verb("programmes.view_partnerships", kind="installation", label=Text(N_("See the partner organisations")),
         operator_roles=WATCHERS),
    Verb("programmes.record_partnerships", kind="installation", label=Text(N_("Record partner organisations")),
         operator_roles=STAFF),
)  # fmt: skip

for verb in VERBS:
    register_verb(verb)

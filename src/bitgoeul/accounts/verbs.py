"""Who may do what in the accounts room."""

from __future__ import annotations

from bitgoeul.kernel.text import N_, Text

from .authority import register_verb
from .types import (
    OPERATOR_ANY,
    ORGANISATION_ANY,
    PROJECT_ANY,
    PROJECT_LEAD,
    OperatorRole,
    OrganisationRole,
    ProjectRole,
    Verb,
)

READERS = frozenset({OperatorRole.STAFF, OperatorRole.AUDITOR})

register_verb(
    Verb(
        "accounts.view_project",
        "project",
        Text(N_("See a project")),
        project_roles=PROJECT_ANY,
        operator_roles=OPERATOR_ANY,
        any_token=True,
    )
)
register_verb(
    Verb(
        "accounts.view_members",
        "project",
        Text(N_("See the people of a project")),
        PROJECT_ANY,
        frozenset(),
        READERS,
    )
)
register_verb(Verb("accounts.change_members", "project", Text(N_("Change the people of a project")), PROJECT_LEAD))
register_verb(
    Verb(
        "accounts.hand_over_project",
        "project",
        Text(N_("Make somebody else the owner of a project")),
        frozenset({ProjectRole.OWNER}),
    )
)
register_verb(Verb("accounts.create_organisation", "portal", Text(N_("Register an organisation")), signed_in=True))
register_verb(
    Verb(
        "accounts.view_organisation",
        "organisation",
        Text(N_("See an organisation")),
        organisation_roles=ORGANISATION_ANY,
        operator_roles=OPERATOR_ANY,
        any_token=True,
    )
)
register_verb(
    Verb(
        "accounts.view_organisation_members",
        "organisation",
        Text(N_("See the people of an organisation")),
        organisation_roles=ORGANISATION_ANY,
        operator_roles=READERS,
    )
)
register_verb(
    Verb(
        "accounts.change_organisation_members",
        "organisation",
        Text(N_("Change the people of an organisation")),
        organisation_roles=frozenset({OrganisationRole.OWNER}),
    )
)
register_verb(Verb("accounts.change_account", "portal", Text(N_("Change one's own account")), signed_in=True))
register_verb(Verb("accounts.create_token", "portal", Text(N_("Make an API token")), signed_in=True))
register_verb(
    Verb(
        "accounts.create_project",
        "portal",
        Text(N_("Make a project")),
        operator_roles=frozenset({OperatorRole.STAFF}),
    )
)
STAFF = frozenset({OperatorRole.STAFF})
for _name, _label in (
    ("grant_operator", Text(N_("Give somebody a role at the operator"))),
    ("revoke_operator", Text(N_("Take a role at the operator away"))),
    ("end_access", Text(N_("End somebody's sessions and tokens"))),
    ("close_account", Text(N_("Close or reopen somebody's account"))),
    ("erase_personal", Text(N_("Erase the personal values kept about somebody"))),
):
    register_verb(Verb(f"accounts.{_name}", "portal", _label, operator_roles=STAFF, elevated=True))
register_verb(
    Verb("accounts.view_operators", "portal", Text(N_("See who works for the operator")), operator_roles=READERS)
)
register_verb(
    Verb("accounts.view_elevations", "portal", Text(N_("See who was elevated and why")), operator_roles=READERS)
)
register_verb(Verb("accounts.elevate", "portal", Text(N_("Ask for an elevation")), operator_roles=OPERATOR_ANY))
register_verb(
    Verb("accounts.lift_lock", "portal", Text(N_("Let somebody try to sign in again")), operator_roles=STAFF)
)

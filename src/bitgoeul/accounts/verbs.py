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

"""Who may do what with resources."""

from __future__ import annotations

from bitgoeul.accounts.facade import OPERATOR_ANY, PROJECT_ANY, OperatorRole, Verb, register_verb
from bitgoeul.kernel.text import N_, Text

STAFF = frozenset({OperatorRole.STAFF})

register_verb(Verb("resources.view_catalogue", "portal", Text(N_("See the catalogue")), signed_in=True))
register_verb(
    Verb(
        "resources.view_allocation",
        "allocation",
        Text(N_("See an allocation")),
        project_roles=PROJECT_ANY,
        operator_roles=OPERATOR_ANY,
    )
)
register_verb(
    Verb(
        "resources.view_statement",
        "project",
        Text(N_("See a statement")),
        project_roles=PROJECT_ANY,
        operator_roles=OPERATOR_ANY,
    )
)
for _name, _label in (
    ("grant", Text(N_("Grant an allocation"))),
    ("suspend", Text(N_("Suspend an allocation"))),
    ("resume", Text(N_("Resume an allocation"))),
):
    register_verb(Verb(f"resources.{_name}_allocation", "allocation", _label, operator_roles=STAFF))
register_verb(
    Verb(
        "resources.recall_allocation",
        "allocation",
        Text(N_("Recall an allocation")),
        operator_roles=STAFF,
        elevated=True,
    )
)
register_verb(Verb("resources.set_price", "portal", Text(N_("Set a price")), operator_roles=STAFF, elevated=True))
register_verb(
    Verb("resources.view_use", "portal", Text(N_("See what was used by everybody")), operator_roles=OPERATOR_ANY)
)

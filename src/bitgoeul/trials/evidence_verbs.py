"""What may be done with evidence, and by whom."""

from __future__ import annotations

from bitgoeul.accounts.facade import OperatorRole, ProjectRole, Verb, register_verb
from bitgoeul.kernel.text import N_, Text

register_verb(
    Verb(
        name="trials.view_evidence",
        kind="evidence",
        label=Text(N_("See a piece of evidence")),
        project_roles=frozenset(ProjectRole),
        operator_roles=frozenset(OperatorRole),
        public=True,
    )
)
register_verb(
    Verb(
        name="trials.publish_evidence",
        kind="evidence",
        label=Text(N_("Decide who sees a piece of evidence")),
        project_roles=frozenset({ProjectRole.OWNER, ProjectRole.MANAGER}),
    )
)
register_verb(
    Verb(
        name="trials.invalidate_evidence",
        kind="evidence",
        label=Text(N_("Invalidate a piece of evidence")),
        project_roles=frozenset(),
        operator_roles=frozenset({OperatorRole.STAFF, OperatorRole.ENGINEER}),
    )
)
# Of its readers only its own people and the operator: a named reader must not learn whom else it names.
register_verb(
    Verb(
        name="trials.view_evidence_history",
        kind="evidence",
        label=Text(N_("See who decided about a piece of evidence")),
        project_roles=frozenset(ProjectRole),
        operator_roles=frozenset(OperatorRole),
    )
)

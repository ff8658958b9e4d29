"""Who may do what with jobs."""

from __future__ import annotations

from bitgoeul.accounts.facade import (
    OPERATOR_ANY,
    PROJECT_ANY,
    PROJECT_WORK,
    OperatorRole,
    Verb,
    register_verb,
)
from bitgoeul.kernel.text import N_, Text

ENGINEERS = frozenset({OperatorRole.ENGINEER})

register_verb(
    Verb(
        "compute.view_project",
        "project",
        Text(N_("See the jobs of a project")),
        project_roles=PROJECT_ANY,
        operator_roles=OPERATOR_ANY,
    )
)
register_verb(Verb("compute.submit_job", "project", Text(N_("Submit a job")), project_roles=PROJECT_WORK))
register_verb(
    Verb(
        "compute.view_job",
        "job",
        Text(N_("See a job")),
        project_roles=PROJECT_ANY,
        operator_roles=OPERATOR_ANY,
    )
)
register_verb(
    Verb(
        "compute.cancel_job",
        "job",
        Text(N_("Cancel a job")),
        project_roles=PROJECT_WORK,
        operator_roles=ENGINEERS,
    )
)
register_verb(
    Verb(
        "compute.write_off_job",
        "job",
        Text(N_("Write off an unknown job")),
        operator_roles=ENGINEERS,
        elevated=True,
    )
)
register_verb(
    Verb("compute.view_fleet", "portal", Text(N_("See the fleet and the queue")), operator_roles=OPERATOR_ANY)
)
register_verb(
    Verb(
        "compute.look_for_drift",
        "portal",
        Text(N_("Ask for a look at a cluster's accounts")),
        operator_roles=ENGINEERS,
    )
)

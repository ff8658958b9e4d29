"""What one may do with subjects and trials."""

from __future__ import annotations

from bitgoeul.accounts.facade import register_verb
from bitgoeul.accounts.types import OperatorRole, ProjectRole, Verb
from bitgoeul.kernel.text import N_, Text

READERS = frozenset({ProjectRole.OWNER, ProjectRole.MANAGER, ProjectRole.MEMBER, ProjectRole.VIEWER})
WORKERS = frozenset({ProjectRole.OWNER, ProjectRole.MANAGER, ProjectRole.MEMBER})
OPERATOR = frozenset({OperatorRole.STAFF, OperatorRole.ENGINEER, OperatorRole.AUDITOR})

VERBS = (
    Verb("trials.create_subject", kind="project", label=Text(N_("Bring in a subject")), project_roles=WORKERS),
    Verb("trials.view_subject", kind="subject", label=Text(N_("See a subject")), project_roles=READERS,
         operator_roles=OPERATOR),
    Verb("trials.add_version", kind="subject", label=Text(N_("Add a version of a subject")),
         project_roles=WORKERS),
    Verb("trials.request_trial", kind="project", label=Text(N_("Ask for a trial")), project_roles=WORKERS),
    Verb("trials.list_trials", kind="project", label=Text(N_("See a project's trials")), project_roles=READERS,
         operator_roles=OPERATOR),
    Verb("trials.view_trial", kind="trial", label=Text(N_("See a trial")), project_roles=READERS,
         operator_roles=OPERATOR),
    Verb("trials.read_subject_file", kind="subject", label=Text(N_("Get a subject's file")),
         project_roles=WORKERS),
    Verb("trials.stop_trial", kind="trial", label=Text(N_("Stop a trial")), project_roles=WORKERS,
         operator_roles=frozenset({OperatorRole.ENGINEER})),
    Verb("trials.judge_again", kind="trial", label=Text(N_("Judge a record again")), project_roles=frozenset(),
         operator_roles=frozenset({OperatorRole.STAFF, OperatorRole.ENGINEER})),
)  # fmt: skip

for verb in VERBS:
    register_verb(verb)

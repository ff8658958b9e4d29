"""Which news goes where: outbox topic → facade call, and nothing else."""

from __future__ import annotations

from django.urls import reverse

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.outcomes import facade as outcomes
from bitgoeul.resources import facade as resources
from bitgoeul.trials import facade as trials


def connect() -> None:
    """Subscribe every handler; called once when Django is ready."""
    audit.subscribe("mail.written", "accounts.send_written", accounts.send_written)
    audit.subscribe("job.start", "trials.job_started", trials.job_started)
    audit.subscribe("job.finished", "trials.job_finished", trials.job_finished)
    for topic in ("evidence.issued", "evidence.visibility"):
        audit.subscribe(topic, "outcomes.evidence_changed", outcomes.evidence_changed)
    audit.subscribe("evidence.invalidated", "outcomes.evidence_invalidated", outcomes.evidence_invalidated)
    resources.register_source("job", lambda job_id: reverse("compute:job", args=[job_id]))
    compute.register_origin("trial", lambda trial_id: reverse("trials:trial", args=[trial_id]))

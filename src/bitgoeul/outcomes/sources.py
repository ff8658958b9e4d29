"""What the trials room says of evidence, in this room's words. Only public evidence can be asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bitgoeul.accounts import facade as accounts
from bitgoeul.trials import facade as trials

from .types import EvidenceFacts


def facts_of(digests: Collection[str]) -> Mapping[str, EvidenceFacts]:
    """The facts of those among ``digests`` that are public and not invalidated; the others are absent."""
    found = {
        digest: view
        for digest, view in trials.public_evidence_of(digests).items()
        if view.public and view.invalidated_at is None
    }
    projects = accounts.projects({view.project_id for view in found.values()})
    return {
        digest: EvidenceFacts(
            digest=digest,
            verdict=str(view.verdict).upper(),
            visibility=str(view.visibility),
            protocol=view.protocol_name,
            subject_digest=view.subject_digest,
            subject_version_id=view.subject_version_id,
            project_id=view.project_id,
            organisation_id=projects[view.project_id].organisation_id,
            trial_id=view.trial_id,
            issued_at=view.issued_at,
        )
        for digest, view in found.items()
    }

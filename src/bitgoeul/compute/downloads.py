"""Files that jobs left, as downloads: never shown as what they claim to be."""

from __future__ import annotations

from django.http import FileResponse

from bitgoeul.content import facade as content
from bitgoeul.web.facade import no_store

from .types import ArtefactView


def download(artefact: ArtefactView) -> FileResponse:
    """The file as an attachment of an unspecific type, so that no browser renders a stranger's content."""
    name = f"{artefact.name}.txt" if artefact.role == "log" else artefact.name
    answer = FileResponse(
        content.open_blob(artefact.digest),
        as_attachment=True,
        filename=name,
        content_type="application/octet-stream",
    )
    answer["X-Content-Type-Options"] = "nosniff"
    return no_store(answer)

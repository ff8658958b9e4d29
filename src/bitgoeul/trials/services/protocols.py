"""Protocols enter as data: what the plug-ins define becomes versions named by digest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.content import facade as content
from bitgoeul.kernel.canonical import digest as digest_of

from .. import queries
from ..models import ProtocolVersion
from ..plugins import plugins
from ..ports import ProtocolPlugin
from ..types import ProtocolView

ASSET_BYTES_MAX = 64 * 1024 * 1024
ASSET_MEDIA_TYPE = "application/octet-stream"


def models_directory() -> Path:
    """Where the protocols' own files are made at set-up."""
    return Path(settings.HOME) / "models"


def register_protocols(directory: Path | None = None, *, actor: str = "system:set-up") -> Sequence[ProtocolView]:
    """Enter the definition of every plug-in; what is known already changes nothing. Run at set-up only."""
    where = directory or models_directory()
    return [_register(plugin, where, actor) for plugin in plugins().values()]


def _register(plugin: ProtocolPlugin, directory: Path, actor: str) -> ProtocolView:
    for path in plugin.asset_files(directory).values():
        content.put_file(path, media_type=ASSET_MEDIA_TYPE, limit_bytes=ASSET_BYTES_MAX)
    definition = plugin.definition(directory)
    digest = digest_of(definition)
    with transaction.atomic():
        _row, made = ProtocolVersion.objects.get_or_create(
            digest=digest,
            defaults={"code": plugin.code, "version": definition["version"], "definition": definition},
        )
        if made:
            audit.record(
                verb="trials.register_protocol", subject_kind="protocol", subject_id=digest, actor=actor,
                after={"code": plugin.code, "version": definition["version"]},
            )  # fmt: skip
    return queries.protocol(digest)


def load_example(actor: accounts.Actor, directory: Path) -> Sequence[ProtocolView]:
    """Make the example's models under the installation's home and enter the protocols."""
    return register_protocols(actor=actor.id)

"""Mail of an embedded installation: each message a file under var/mail/, shown on the page /mail/.

Messages carry a fixed Message-ID when their sender set one, so a message sent twice is one file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import NotFound

MESSAGES_KEPT_MAX = 500
SUFFIX = ".eml"


def directory() -> Path:
    """Where the files lie."""
    return Path(settings.EMAIL_FILE_PATH)


class FileBackend(BaseEmailBackend):
    """Write every message as one file; the oldest go when there are too many."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write each message; returns how many."""
        directory().mkdir(parents=True, exist_ok=True, mode=0o700)
        for message in email_messages:
            data = message.message().as_bytes()
            known = str(message.extra_headers.get("Message-ID", "")) or data.hex()
            name = hashlib.sha256(known.encode()).hexdigest()[:12]
            if not list(directory().glob(f"*-{name}{SUFFIX}")):
                _write(directory() / f"{now():%Y%m%dT%H%M%S%f}-{name}{SUFFIX}", data)
        for old in _files()[MESSAGES_KEPT_MAX:]:
            old.unlink(missing_ok=True)
        return len(email_messages)


def _write(path: Path, data: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}.new")
    draft.write_bytes(data)
    draft.chmod(0o600)
    draft.replace(path)


def _files() -> list[Path]:
    return sorted(directory().glob(f"*{SUFFIX}"), reverse=True) if directory().exists() else []


@dataclass(frozen=True)
class Mail:
    """A message as the page shows it."""

    key: str
    to: str
    subject: str
    at: datetime | None
    body: str


def _read(path: Path) -> Mail:
    parsed = message_from_bytes(path.read_bytes(), policy=policy.default)
    part = parsed.get_body(preferencelist=("plain",))
    date = parsedate_to_datetime(str(parsed["Date"])) if parsed["Date"] else None
    return Mail(
        key=path.stem,
        to=str(parsed["To"] or ""),
        subject=str(parsed["Subject"] or ""),
        # Django writes the zone -0000, which is read as UTC without a zone.
        at=date if date is None or date.tzinfo else date.replace(tzinfo=UTC),
        body=str(part.get_content()) if part else "",
    )


def count() -> int:
    """How many messages there are."""
    return len(_files())


def newest(start: int, limit: int) -> list[Mail]:
    """Messages from the newest on."""
    return [_read(path) for path in _files()[start : start + limit]]


def one(key: str) -> Mail:
    """One message by its key; NotFound when there is none."""
    for path in _files():
        if path.stem == key:
            return _read(path)
    raise NotFound()

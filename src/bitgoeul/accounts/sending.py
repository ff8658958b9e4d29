"""Mail leaves through the outbox: written with the change it tells of, sent by the worker.

A mail is sent at least once; its Message-ID is fixed when it is written, so a receiver knows a second copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import make_msgid
from typing import Any

from django.core.mail import EmailMessage

from bitgoeul.audit import facade as audit

from .events import MAIL_WRITTEN


def write_mail(message: EmailMessage) -> None:
    """Put ``message`` into the outbox of the caller's transaction."""
    message_id = str(message.extra_headers.get("Message-ID") or make_msgid(domain="bitgoeul"))
    payload = {
        "message_id": message_id,
        "subject": message.subject,
        "body": message.body,
        "from": message.from_email,
        "to": list(message.to),
    }
    audit.emit(topic=MAIL_WRITTEN, key=message_id, payload=payload)


def send_written(payload: Mapping[str, Any]) -> None:
    """Handler of ``mail.written``: send it now; a failure is tried again later by the dispatcher."""
    EmailMessage(
        subject=payload["subject"],
        body=payload["body"],
        from_email=payload["from"],
        to=payload["to"],
        headers={"Message-ID": payload["message_id"]},
    ).send()

"""Failed sign-ins, counted in the database so that every process sees them: the wait grows with each failure.

A key is an account as it was typed (whether it exists or not, so that nobody learns who has one), the address it
came from, or the address that sent a token nobody knows. Only its keyed hash is kept.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from django.core.mail import EmailMessage
from django.db import transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import override

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.text import N_, Text

from .authority import require
from .errors import TooManyFailures
from .models import FailedAttempts, User
from .sending import write_mail
from .services import PORTAL
from .types import Actor

# Failures that cost nothing; the next one waits a minute, and each after it twice as long as the one before.
FREE = {"account": 5, "address": 30, "token": 30}
WAIT_FIRST = timedelta(minutes=1)
WAIT_MAX = timedelta(hours=1)
FORGOTTEN_AFTER = timedelta(hours=24)
ROWS_MAX = 100_000


def _key(kind: str, value: str) -> str:
    return salted_hmac("bitgoeul.attempts", f"{kind}:{value.strip().lower()}", algorithm="sha256").hexdigest()


def check(kind: str, value: str) -> None:
    """Raise TooManyFailures while the key has to wait; an empty value is nobody in particular and never waits."""
    until = value and FailedAttempts.objects.filter(pk=_key(kind, value)).values_list("until", flat=True).first()
    if until and until > now():
        raise refusal(until)


def refusal(until: datetime) -> TooManyFailures:
    """The refusal that says for how long."""
    minutes = max(1, ceil((until - now()) / timedelta(minutes=1)))
    return TooManyFailures(
        N_("Too many attempts have failed. Try again in {minutes} minutes."),
        remedy=Text(
            N_("A passkey or your organisation's sign-in works meanwhile, and a new password ends the wait.")
        ),
        detail={"retry_after_seconds": minutes * 60},
        minutes=minutes,
    )


@transaction.atomic
def failed(kind: str, value: str) -> None:
    """Count one failure; past the free ones the key waits."""
    if not value:
        return
    key, moment = _key(kind, value), now()
    FailedAttempts.objects.get_or_create(pk=key, defaults={"kind": kind, "last_at": moment})
    # The row is locked: two processes that read the same count would count one failure.
    row = FailedAttempts.objects.select_for_update().get(pk=key)
    row.failures = 1 if moment - row.last_at > FORGOTTEN_AFTER else row.failures + 1
    row.last_at, over = moment, row.failures - FREE[kind]
    if over >= 0:
        row.until = moment + min(WAIT_MAX, WAIT_FIRST * 2 ** min(over, 10))
    row.save(update_fields=["failures", "last_at", "until"])
    if over == 0:
        _tell(kind, value, key)


def _tell(kind: str, value: str, key: str) -> None:
    """Write the first wait down, and tell the person whose account it is."""
    user = User.objects.filter(email__iexact=value.strip(), is_active=True).first() if kind == "account" else None
    audit.record(
        verb="accounts.lock_sign_in",
        subject_kind="user" if user else "attempts",
        subject_id=str(user.pk) if user else key[:16],
        actor="system:sign-in",
        after={"kind": kind, "origin": audit.origin()},
    )
    if user is None:
        return
    with override(user.locale):
        write_mail(
            EmailMessage(
                _("Signing in to your account has failed several times"),
                _(
                    "Somebody tried to sign in to your account and failed several times, so signing in by password"
                    " waits for a while. If it was not you, you need do nothing; a second factor keeps your"
                    " account closed even to somebody who guesses the password."
                ),
                to=[user.email],
            )
        )


def clear(kind: str, value: str) -> None:
    """Forget the failures of a key: its owner has proved themselves."""
    FailedAttempts.objects.filter(pk=_key(kind, value)).delete()


@transaction.atomic
def lift(*, actor: Actor, email: str) -> None:
    """Let somebody try again now; again, or for somebody who does not wait, changes nothing."""
    require(actor=actor, verb="accounts.lift_lock", thing=PORTAL)
    deleted, _by_model = FailedAttempts.objects.filter(pk=_key("account", email)).delete()
    user = User.objects.filter(email__iexact=email.strip()).first()
    if deleted:
        audit.record(
            verb="accounts.lift_lock",
            subject_kind="user" if user else "attempts",
            subject_id=str(user.pk) if user else _key("account", email)[:16],
            actor=actor.id,
        )


def forget_old() -> int:
    """Remove what was quiet for a day, and the oldest beyond ``ROWS_MAX``; returns how many. For the worker."""
    deleted, _by_model = FailedAttempts.objects.filter(last_at__lt=now() - FORGOTTEN_AFTER).delete()
    if FailedAttempts.objects.count() > ROWS_MAX:
        oldest = FailedAttempts.objects.order_by("-last_at").values_list("last_at", flat=True)[ROWS_MAX]
        more, _by_model = FailedAttempts.objects.filter(last_at__lte=oldest).delete()
        deleted += more
    return int(deleted)

"""The dispatcher of messages: leases, one effect in the database, retries that grow further apart.

A handler runs in one transaction together with its Delivery row, so its effect in the database happens once,
whatever is killed when. An effect outside (mail) happens at least once; the receiver knows it by a fixed id.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q

from bitgoeul.kernel.clock import now

from .models import Delivery, Message
from .request import request_context

Handler = Callable[[Mapping[str, Any]], None]
LEASE = timedelta(seconds=60)
RETRY_MAX = timedelta(minutes=10)

log = logging.getLogger(__name__)
_subscribers: dict[str, dict[str, Handler]] = {}


def subscribe(topic: str, name: str, handler: Handler) -> None:
    """Hand every message of ``topic`` to ``handler``; ``name`` identifies it in delivery rows for ever."""
    _subscribers.setdefault(topic, {})[name] = handler


def subscribers(topic: str) -> Mapping[str, Handler]:
    """The handlers of a topic by name."""
    return dict(_subscribers.get(topic, {}))


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:80]


def claim(limit: int) -> list[Message]:
    """Lease up to ``limit`` open messages; of two dispatchers only one gets a message."""
    moment = now()
    free = Q(lease_until=None) | Q(lease_until__lt=moment)
    ready = Message.objects.filter(free, done_at=None, available_at__lte=moment).order_by("available_at", "id")
    if not ready.exists():
        return []  # before any lock: on SQLite every transaction is one that writes
    with transaction.atomic():
        if connection.features.has_select_for_update_skip_locked:
            ready = ready.select_for_update(skip_locked=True)
        won = list(ready[:limit])
        mine = {"lease_owner": _owner(), "lease_until": moment + LEASE}
        Message.objects.filter(pk__in=[message.pk for message in won]).update(**mine)
    return won


def dispatch_once(limit: int = 20) -> int:
    """Deliver up to ``limit`` messages; returns how many were finished."""
    return sum(_deliver(message) for message in claim(limit))


def _deliver(message: Message) -> bool:
    """Hand the message to each subscriber under the id of the request that caused it."""
    with request_context(message.request_id):
        return _deliver_to_all(message)


def _deliver_to_all(message: Message) -> bool:
    for name, handler in subscribers(message.topic).items():
        try:
            _hand_over(message, name, handler)
        except Exception as error:
            log.exception("message not delivered", extra={"topic": message.topic, "subscriber": name})
            _retry_later(message, name, error)
            return False
    Message.objects.filter(pk=message.pk).update(done_at=now(), lease_until=None)
    log.info("message delivered", extra={"topic": message.topic, "attempts": message.attempts})
    return True


def _hand_over(message: Message, name: str, handler: Handler) -> None:
    if Delivery.objects.filter(message=message, subscriber=name).exists():
        return
    try:
        with transaction.atomic():
            Delivery.objects.create(message=message, subscriber=name)
            handler(message.payload)
    except IntegrityError:
        # A dispatcher whose lease had run out delivered it meanwhile: its effect stands, ours was rolled back.
        if connection.in_atomic_block or not Delivery.objects.filter(message=message, subscriber=name).exists():
            raise


def _retry_later(message: Message, name: str, error: Exception) -> None:
    delay = min(RETRY_MAX, timedelta(seconds=2 ** min(message.attempts, 10)))
    Message.objects.filter(pk=message.pk).update(
        attempts=F("attempts") + 1,
        available_at=now() + delay,
        lease_until=None,
        last_error=f"{name}: {type(error).__name__}: {error}"[:2000],
    )


def stuck(attempts_min: int = 3, limit: int = 50) -> list[Message]:
    """Messages that failed at least ``attempts_min`` times, for ``doctor``."""
    return list(Message.objects.filter(done_at=None, attempts__gte=attempts_min).order_by("created_at")[:limit])

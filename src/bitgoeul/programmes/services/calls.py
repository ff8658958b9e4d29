"""Publishing calls: each load of changed data is a new version, nothing is ever overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import Actor, Thing
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.canonical import digest, loads_strict
from bitgoeul.kernel.clock import SEOUL, now, rfc3339
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_, Text
from bitgoeul.resources import facade as resources

from .. import queries, rules
from ..agreements import check_template
from ..errors import BadCall
from ..models import CallVersion
from ..types import CallBody, OpenCall
from ..workdays import add_working_days, seoul_day

RENEW_BEFORE_DAYS = 3


@transaction.atomic
def load_call(*, actor: Actor, data: Mapping[str, object], source_digest: str = "") -> OpenCall:
    """Publish a call from its data; the same data again changes nothing.

    Raises BadCall (naming the place in the data) and PathNotSupported, before anything is written.
    """
    accounts.require(actor=actor, verb="programmes.load_call", thing=Thing("call", str(data.get("code", ""))))
    body = rules.parse_call(data)
    check_template(body.agreement)
    _check_resources(body)
    audit.take_turn("programmes.load_call")
    content = rules.call_json(body)
    named = digest(content)
    latest = queries.latest_version(body.code)
    if latest is not None and latest.digest == named:
        return queries.open_call(latest, now())
    row = CallVersion.objects.create(
        id=derive("programmes.call", named),
        code=body.code,
        number=latest.number + 1 if latest else 1,
        digest=named,
        source_digest=source_digest or named,
        body=content,
        opens_at=body.opens_at,
        closes_at=body.closes_at,
        loaded_by=actor.id,
    )
    audit.record(
        verb="call.load",
        subject_kind="call",
        subject_id=str(row.id),
        actor=actor.id,
        after={"code": row.code, "number": row.number, "digest": named},
    )
    return queries.open_call(row, now())


def _check_resources(body: CallBody) -> None:
    """Refuse a call that promises what the catalogue does not have, before anybody applies for it."""
    lines = [line for tier in body.tiers for line in tier.resources]
    known = resources.resources([line.resource for line in lines])
    for line in lines:
        if line.resource not in known or known[line.resource].unit != line.unit:
            raise BadCall(
                N_("The catalogue has no resource “{code}” counted in {unit}."),
                field="tiers.resources",
                code=line.resource,
                unit=line.unit,
                remedy=Text(N_("Define the resource first, or correct the call.")),
            )


def load_example(*, actor: Actor, directory: Path) -> list[OpenCall]:
    """Publish every call of ``directory``/calls; done again, it only renews rounds that are about to close.

    An example's period may be written as ``"window": {"opened_days_ago", "open_for_days"}``, so that whoever
    installs it finds an open call; the published version holds real dates.
    """
    files = sorted((directory / "calls").glob("*.json"))
    return [_load_file(actor, path) for path in files]


def _load_file(actor: Actor, path: Path) -> OpenCall:
    source = path.read_bytes()
    data = loads_strict(source)
    if not isinstance(data, dict):
        raise BadCall(N_("The file “{name}” holds no call."), name=path.name)
    named = digest(data)
    latest = queries.latest_version(str(data.get("code", "")))
    moment = now()
    lasting = latest is not None and latest.closes_at - moment > timedelta(days=RENEW_BEFORE_DAYS)
    if latest is not None and latest.source_digest == named and (lasting or "window" not in data):
        return queries.open_call(latest, moment)
    return load_call(actor=actor, data=_dated(data, moment), source_digest=named)


def _dated(data: Mapping[str, Any], moment: datetime) -> dict[str, object]:
    """The data with its window, counted in days from ``moment`` in Seoul, replaced by opening and closing.

    It closes on a working day.
    """
    if "window" not in data:
        return dict(data)
    rest = {key: value for key, value in data.items() if key != "window"}
    try:
        ago, span = int(data["window"]["opened_days_ago"]), int(data["window"]["open_for_days"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadCall(
            N_("A window needs opened_days_ago and open_for_days, whole numbers of days."), field="window"
        ) from error
    today = seoul_day(moment)
    opens = datetime.combine(today - timedelta(days=ago), time(9), SEOUL)
    last = add_working_days(today + timedelta(days=span - 1), 1)
    closes = datetime.combine(last, time(18), SEOUL)
    return {**rest, "opens_at": rfc3339(opens), "closes_at": rfc3339(closes)}

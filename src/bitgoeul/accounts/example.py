"""The named people and organisations of the example, loaded from data; again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction

from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import Label

from .models import User
from .services import add_organisation_member, create_organisation, create_user
from .types import Actor, OperatorRole, OrganisationKind, OrganisationRole


def example_id(kind: str, code: str) -> UUID:
    """The id of an example thing: the same in every installation."""
    return derive("example", kind, code)


def example_installation() -> bool:
    """Is this an example that only its own machine reaches, as far as its settings tell."""
    return settings.ENV.mode == "example" and is_loopback(urlsplit(settings.PUBLIC_URL).hostname or "")


def is_loopback(host: str) -> bool:
    """True for a name or address of this very machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class NamedPerson:
    """Somebody one can sign in as while the example is loaded."""

    user_id: UUID
    code: str
    name: str
    email: str
    purpose: Label


def _data(directory: Path) -> Any:
    return json.loads((directory / "people.json").read_text(encoding="utf-8"))


@transaction.atomic
def load_example(actor: Actor, directory: Path) -> Mapping[str, int]:
    """Load people.json from ``directory``; returns what the example now has."""
    data = _data(directory)
    for entry in data["organisations"]:
        create_organisation(
            actor=actor,
            id=example_id("organisation", entry["code"]),
            name=entry["name"],
            kind=OrganisationKind(entry["kind"]),
            registration_number=entry["registration_number"],
            is_example=True,
        )
    for entry in data["people"]:
        user_id = create_user(
            actor=actor,
            id=example_id("user", entry["code"]),
            email=entry["email"],
            display_name=entry["name"],
            operator_roles=frozenset(OperatorRole(role) for role in entry.get("operator_roles", ())),
            is_example=True,
        )
        EmailAddress.objects.get_or_create(
            user_id=user_id, email=entry["email"], defaults={"verified": True, "primary": True}
        )
        add_organisation_member(
            actor=actor,
            organisation_id=example_id("organisation", entry["organisation"]),
            user_id=user_id,
            role=OrganisationRole(entry["role"]),
        )
    return {"people": len(data["people"]), "organisations": len(data["organisations"])}


def example_people() -> int:
    """How many example people have an account here; one query."""
    return User.objects.filter(is_example=True).count()


def named_people() -> list[NamedPerson]:
    """The example people of this installation, in the order of the data."""
    present = set(User.objects.filter(is_example=True, is_active=True).values_list("pk", flat=True))
    people = [
        NamedPerson(
            example_id("user", entry["code"]), entry["code"], entry["name"], entry["email"], Label(**entry["for"])
        )
        for entry in _data(Path(settings.EXAMPLES))["people"]
    ]
    return [person for person in people if person.user_id in present]

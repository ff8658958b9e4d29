"""The file of identity providers (OIDC and SAML): read once at start, refused with the name of the wrong field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .types import OperatorRole, OrganisationRole

PROVIDERS_MAX = 20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClaimRule(_Strict):
    """When ``claim`` holds ``value``, the person has a role at the operator, or in an organisation."""

    claim: str = Field(min_length=1, max_length=200)
    value: str = Field(min_length=1, max_length=200)
    operator: OperatorRole | None = None
    organisation: UUID | None = None
    role: OrganisationRole = OrganisationRole.MEMBER

    @model_validator(mode="after")
    def _one_effect(self) -> Self:
        if (self.operator is None) == (self.organisation is None):
            raise ValueError("name either 'operator' or 'organisation'")
        return self


class FactorRule(_Strict):
    """The claim by which the provider says that a second factor was used (``amr`` or ``acr``), and its values."""

    claim: str = Field(min_length=1)
    values: list[str] = Field(min_length=1)


class _Provider(_Strict):
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    name: str = Field(min_length=1, max_length=40)
    trusted_domains: list[str] = []
    second_factor: FactorRule | None = None
    roles: list[ClaimRule] = []


class OidcProvider(_Provider):
    """An OpenID Connect provider."""

    kind: Literal["oidc"]
    issuer: str
    client_id: str = Field(min_length=1)
    client_secret_file: Path
    scopes: list[str] = ["openid", "profile", "email"]
    origins: list[str] = []

    @property
    def addresses(self) -> list[str]:
        """Where the browser is sent."""
        return [self.issuer, *self.origins]


class SamlProvider(_Provider):
    """A SAML 2.0 identity provider; what it says of e-mail counts as verified only with ``emails_verified``."""

    kind: Literal["saml"]
    entity_id: str = Field(min_length=1)
    sso_url: str
    certificate_file: Path
    attributes: dict[Literal["uid", "email", "name"], str] = {}
    emails_verified: bool = False

    @property
    def addresses(self) -> list[str]:
        """Where the browser is sent."""
        return [self.sso_url]


Provider = Annotated[OidcProvider | SamlProvider, Field(discriminator="kind")]


class ProviderFile(_Strict):
    """All identity providers of an installation."""

    providers: list[Provider] = Field(max_length=PROVIDERS_MAX)

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        ids = [one.id for one in self.providers]
        if len(set(ids)) != len(ids):
            raise ValueError("two providers have the same id")
        return self


class BadProviderFile(ValueError):
    """The file cannot be used; the text names each wrong field."""


def load(path: Path | None, *, production: bool) -> ProviderFile:
    """Read and check the file; without one there are no providers. Raises BadProviderFile."""
    if path is None:
        return ProviderFile(providers=[])
    try:
        found = ProviderFile.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadProviderFile(f"{path} cannot be read as JSON: {error}") from error
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise BadProviderFile("\n  ".join([f"{path}:", *faults])) from error
    for number, one in enumerate(found.providers):
        for address in one.addresses:
            _check_address(address, f"providers.{number} ({one.id})", production)
    return found


def _check_address(address: str, where: str, production: bool) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadProviderFile(f"{where}: {address} is no address that begins with https://")
    if production and parts.scheme != "https":
        raise BadProviderFile(f"{where}: {address}: production needs TLS, an address that begins with https://")


def secret(path: Path, where: str) -> str:
    """The text of a secret or certificate file; raises BadProviderFile naming it."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadProviderFile(f"{where}: {path} cannot be read: {error}") from error


def allauth_apps(found: ProviderFile) -> dict[str, Any]:
    """The providers as django-allauth's SOCIALACCOUNT_PROVIDERS wants them."""
    apps: dict[str, list[dict[str, Any]]] = {"openid_connect": [], "saml": []}
    for one in found.providers:
        if isinstance(one, OidcProvider):
            apps["openid_connect"].append(_oidc(one))
        else:
            apps["saml"].append(_saml(one))
    return {
        "openid_connect": {"APPS": apps["openid_connect"], "OAUTH_PKCE_ENABLED": True},
        "saml": {"APPS": apps["saml"]},
    }


def _oidc(one: OidcProvider) -> dict[str, Any]:
    return {
        "provider_id": one.id,
        "name": one.name,
        "client_id": one.client_id,
        "secret": secret(one.client_secret_file, f"{one.id}.client_secret_file"),
        "settings": {"server_url": one.issuer, "scope": one.scopes, "oauth_pkce_enabled": True},
    }


def _saml(one: SamlProvider) -> dict[str, Any]:
    mapping: dict[str, list[str]] = {key: [name] for key, name in one.attributes.items() if key != "name"}
    if "name" in one.attributes:
        mapping["last_name"] = [one.attributes["name"]]
    return {
        "provider_id": one.id,
        "name": one.name,
        "client_id": one.id,
        "settings": {
            **({"attribute_mapping": mapping} if mapping else {}),
            "verified_email": one.emails_verified,
            "idp": {
                "entity_id": one.entity_id,
                "sso_url": one.sso_url,
                "x509cert": secret(one.certificate_file, f"{one.id}.certificate_file"),
            },
            # An assertion nobody asked for could be one that was seen before.
            "advanced": {"strict": True, "want_assertion_signed": True, "reject_idp_initiated_sso": True},
        },
    }


def origins(found: ProviderFile) -> list[str]:
    """Where forms may lead: the providers' origins, for the content security policy."""
    parts = [urlsplit(address) for one in found.providers for address in one.addresses]
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts})

"""What an installation may set from outside: environment variables with the prefix ``BITGOEUL_``.

Every secret may also stand in a file named by ``<NAME>_FILE``. A variable with the prefix that nobody
knows is refused: a misspelt setting must not be silently ignored.
"""

from __future__ import annotations

import os
import secrets
import sys
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .database import BadUrl, parse_url

PREFIX = "BITGOEUL_"
INSTALLATION_ROOT = Path(__file__).resolve().parents[3]
# Set by the supervisor and the engine for their own children, not by people.
SECRETS = ("database_url", "secret_key", "mail_password", "metrics_token")
INTERNAL = frozenset({"BITGOEUL_SUPERVISOR", "BITGOEUL_JOB_ID", "BITGOEUL_ISOLATION"})


class Env(BaseSettings):
    """The typed settings of one installation; each field is documented in docs/reference/settings.md."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid")

    home: Path = Field(
        default=INSTALLATION_ROOT / "var", description="Where everything the installation writes lives."
    )
    mode: Literal["example", "production"] = Field(
        default="example",
        description="'example' allows one-click sign-in of the named people on loopback; 'production' never.",
    )
    database_url: str = Field(
        default="",
        repr=False,
        description="The PostgreSQL database, as postgresql://user:password@host:port/name; SQLite when empty.",
    )
    database_url_file: Path | None = Field(default=None, description="A file that holds database_url.")
    secret_key: str = Field(
        default="", description="Signs sessions and forms; made and kept under home when empty."
    )
    secret_key_file: Path | None = Field(default=None, description="A file that holds secret_key.")
    host: str = Field(default="127.0.0.1", description="The address the web process listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="The port the web process listens on.")
    allowed_hosts: str = Field(
        default="localhost,127.0.0.1,[::1]", description="Host names the portal answers to, with commas."
    )
    public_url: str = Field(
        default="", description="The address people reach the portal at; from host and port when empty."
    )
    mail_host: str = Field(default="", description="The SMTP server; mail is kept as files when empty.")
    mail_port: int = Field(default=587, ge=1, le=65535, description="The SMTP server's port (STARTTLS).")
    mail_user: str = Field(default="", description="Who signs in at the SMTP server; nobody when empty.")
    mail_password: str = Field(default="", description="The password for mail_user.")
    mail_password_file: Path | None = Field(default=None, description="A file that holds mail_password.")
    mail_from: str = Field(default="bitgoeul@localhost", description="The sender of mail.")
    centre: str = Field(
        default="빛고을 예시 설치 (bitgoeul)", max_length=120, description="Who signs evidence, as readers see it."
    )
    official_site: bool = Field(
        default=False, description="Turns the strip 'example installation, not an official site' off."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least severe log line written."
    )
    trusted_proxies: str = Field(
        default="",
        description="Proxies whose X-Forwarded-For and -Proto are believed: addresses or networks, with commas.",
    )
    hsts_days: int = Field(
        default=0, ge=0, le=730, description="For how many days browsers shall come by TLS alone; in production."
    )
    metrics_token: str = Field(
        default="", description="Who sends it may read /metrics; from this machine alone when empty."
    )
    metrics_token_file: Path | None = Field(default=None, description="A file that holds metrics_token.")
    upload_limit_mib: int = Field(
        default=64, ge=1, le=4096, description="The largest file a person may upload, in MiB."
    )
    second_factor: Literal["required", "optional"] = Field(
        default="required",
        description="'required': operator roles rest in a session without a second factor; production always.",
    )
    sign_in_providers: Path | None = Field(
        default=None, description="A JSON file of OIDC and SAML identity providers; none when empty."
    )
    idle_minutes: int = Field(default=240, ge=5, le=720, description="Minutes after which an idle session ends.")
    idle_minutes_operator: int = Field(
        default=30, ge=5, le=720, description="The same for people with a role at the operator."
    )
    project_storage_mib: int = Field(
        default=4096, ge=1, le=2**22, description="What the subjects of one project may take together, in MiB."
    )
    local_cores: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="CPU cores the local engine may use; 0 for all there are.",
    )
    local_targets: int = Field(
        default=1, ge=0, le=64, description="Virtual devices 'software-target' of the local engine."
    )
    local_isolation: Literal["auto", "limits", "landlock", "container"] = Field(
        default="auto",
        description="How the local engine keeps jobs apart: the best tier that works here, or only this one.",
    )
    local_isolation_min: Literal["limits", "landlock", "container"] = Field(
        default="limits", description="The tier below which the local engine starts no job."
    )

    @model_validator(mode="after")
    def _refuse_unknown(self) -> Self:
        known = {PREFIX + name.upper() for name in type(self).model_fields} | INTERNAL
        unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(unknown)}; see docs/reference/settings.md")
        return self

    @model_validator(mode="after")
    def _refuse_single_factor(self) -> Self:
        if self.mode == "production" and self.second_factor != "required":
            raise ValueError("second_factor: production always requires a second factor; leave the setting out")
        return self

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        self.home = self.home.expanduser().resolve()
        for name in SECRETS:
            path = getattr(self, f"{name}_file")
            if path is not None and not getattr(self, name):
                setattr(self, name, _secret_in(f"{PREFIX}{name}_file".upper(), path))
        networks(self.trusted_proxies)
        return self

    @model_validator(mode="after")
    def _check_database(self) -> Self:
        if self.database_url:
            try:
                parse_url(self.database_url)
            except BadUrl as error:
                raise ValueError(f"{PREFIX}DATABASE_URL {error}") from None
        return self


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of a list with commas; ValueError names the entry that is none."""
    found = []
    for entry in filter(None, map(str.strip, text.split(","))):
        try:
            found.append(ip_network(entry))
        except ValueError as error:
            raise ValueError(
                f"trusted_proxies: “{entry}” is neither an address nor a network ({error})"
            ) from error
    return tuple(found)


def _secret_in(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: {path} cannot be read as text ({error}); name a readable file") from error


def _fault(place: tuple[int | str, ...], text: str) -> str:
    """One fault as a person reads it; a check over several settings names its own."""
    text = text.removeprefix("Value error, ")
    return f"{PREFIX}{'_'.join(map(str, place)).upper()}: {text}" if place else text


def load_env() -> Env:
    """Read the environment; ends the process with a readable text and exit status 2 when it does not fit."""
    try:
        return Env()
    except ValidationError as error:
        lines = [_fault(tuple(each["loc"]), each["msg"]) for each in error.errors()]
        print("bitgoeul: the settings cannot be used", *lines, sep="\n  ", file=sys.stderr)
        raise SystemExit(2) from error


def refuse_half_restored(home: Path) -> None:
    """End the process on a home that a restore left half-way; whatever stands there is not whole."""
    if (home / ".restore").is_dir():
        print(
            f"bitgoeul: a restore into {home} was cut short.",
            "Run the same bitgoeul restore again: it begins anew.", sep="\n", file=sys.stderr,
        )  # fmt: skip
        raise SystemExit(2)


def kept_secret_key(home: Path) -> str:
    """The key kept at ``home/keys/secret_key``, made on first use (mode 0600, never overwritten).

    Ends the process with a readable text and exit status 2 when the home cannot be written.
    """
    try:
        return _kept_secret_key(home)
    except OSError as error:
        print(
            f"bitgoeul: {error.filename} cannot be used: {error.strerror}.",
            f"BITGOEUL_HOME is {home}; name a directory you may write to.", sep="\n", file=sys.stderr,
        )  # fmt: skip
        raise SystemExit(2) from error


def _kept_secret_key(home: Path) -> str:
    path = home / "keys" / "secret_key"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48))
    return path.read_text(encoding="ascii").strip()

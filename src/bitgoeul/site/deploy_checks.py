"""What an installation for the public must not be: Django system checks with the tag ``deploy``.

An error is something that makes a sign-in, a signature or the books forgeable, or lets anybody in; `bitgoeul up`
refuses it in production. A warning is a decision that somebody should have made on purpose.
"""

from __future__ import annotations

import math
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection

from bitgoeul.accounts import facade as accounts

SECRET_BITS_MIN = 128
TOKEN_LENGTH_MIN = 24
HSTS_SECONDS_MIN = 30 * 24 * 3600
KNOWN_PASSWORDS = frozenset({"", "postgres", "password", "bitgoeul", "secret", "admin", "changeme", "test"})
MADE_UP = ("change", "example", "secret", "insecure", "django", "password")
DJANGO_REPLACED = frozenset({"security.W009", "security.W004", "security.W008"})


def error(number: int, text: str, remedy: str) -> checks.CheckMessage:
    """A fault that keeps `bitgoeul up` from serving the public."""
    return checks.Error(text, hint=remedy, id=f"bitgoeul.E{number:03}")


def warning(number: int, text: str, remedy: str) -> checks.CheckMessage:
    """Something that may be meant."""
    return checks.Warning(text, hint=remedy, id=f"bitgoeul.W{number:03}")


def bits_of(secret: str) -> float:
    """A bound on what a secret can hold: its length times the entropy of its own characters."""
    counts = Counter(secret)
    return sum(-count * math.log2(count / len(secret)) for count in counts.values())


def mode() -> Iterator[checks.CheckMessage]:
    """The mode for the public, and no debugging."""
    if settings.ENV.mode != "production":
        yield error(1, "The installation is in example mode: anybody on this machine signs in by one click.",
                    "Set BITGOEUL_MODE=production.")  # fmt: skip
    if settings.DEBUG:
        yield error(2, "Debugging is on: error pages show code and settings.", "Unset DEBUG in the settings.")


def secret_key() -> Iterator[checks.CheckMessage]:
    """A session key that nobody can guess, and that was not made for an example."""
    key = settings.SECRET_KEY
    if bits_of(key) < SECRET_BITS_MIN or any(word in key.lower() for word in MADE_UP):
        yield error(3, "The secret key can be guessed: it is short, repeats itself or is made of known words.",
                    "Put 50 random characters into a file and name it in BITGOEUL_SECRET_KEY_FILE:"
                    " python3 -c 'import secrets; print(secrets.token_urlsafe(48))'")  # fmt: skip
    if not settings.ENV.secret_key and (Path(settings.HOME) / "journey").exists():
        yield error(4, "The secret key was made while this home was an example.",
                    "Set BITGOEUL_SECRET_KEY_FILE, or remove keys/secret_key.")  # fmt: skip


def hosts() -> Iterator[checks.CheckMessage]:
    """The names it answers to are its own."""
    if any("*" in host for host in settings.ALLOWED_HOSTS):
        yield error(5, "BITGOEUL_ALLOWED_HOSTS lets any host name in; links in mail could lead elsewhere.",
                    "Name the portal's own names, with commas.")  # fmt: skip
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    if host and not _is_loopback(host) and host not in settings.ALLOWED_HOSTS:
        yield error(6, f"BITGOEUL_PUBLIC_URL is at {host}, which BITGOEUL_ALLOWED_HOSTS does not name.",
                    f"Add {host} to BITGOEUL_ALLOWED_HOSTS.")  # fmt: skip


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def tls() -> Iterator[checks.CheckMessage]:
    """Cookies and passwords travel by TLS alone."""
    if urlsplit(settings.PUBLIC_URL).scheme != "https":
        yield error(7, f"The public address {settings.PUBLIC_URL} is not https.",
                    "Put a TLS proxy before the portal and set BITGOEUL_PUBLIC_URL=https://…")  # fmt: skip
    if not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE):
        yield error(8, "Cookies are sent without TLS too.", "Set BITGOEUL_MODE=production.")
    if settings.SECURE_HSTS_SECONDS < HSTS_SECONDS_MIN:
        yield warning(9, "Browsers are not told to come by TLS alone (HSTS) for 30 days or more.",
                      "Set BITGOEUL_HSTS_DAYS=365 once TLS works for good.")  # fmt: skip
    if not settings.TRUSTED_PROXIES:
        yield error(10, "No proxy is trusted, so no visitor is known to have come by TLS; every form is refused.",
                    "Name the TLS proxy in BITGOEUL_TRUSTED_PROXIES, for example 127.0.0.1.")  # fmt: skip


def database() -> Iterator[checks.CheckMessage]:
    """A server with a password of its own."""
    if connection.vendor == "sqlite":
        yield warning(11, "The database is SQLite: one writer at a time, on one machine.",
                      "For more than a pilot name a PostgreSQL server in BITGOEUL_DATABASE_URL.")  # fmt: skip
        return
    parameters = connection.settings_dict
    over_a_socket = str(parameters.get("HOST", "")).startswith("/") or not parameters.get("HOST")
    if not over_a_socket and str(parameters.get("PASSWORD", "")).lower() in KNOWN_PASSWORDS:
        yield error(12, "The database password is empty or one that everybody tries first.",
                    "Give the role a password of its own, and set BITGOEUL_DATABASE_URL_FILE.")  # fmt: skip


def mail() -> Iterator[checks.CheckMessage]:
    """Mail leaves, and by TLS."""
    if not settings.ENV.mail_host:
        yield warning(13, "There is no mail server: nobody can confirm an address or reset a password.",
                      "Set BITGOEUL_MAIL_HOST.")  # fmt: skip
    elif not (settings.EMAIL_USE_TLS or getattr(settings, "EMAIL_USE_SSL", False)):
        yield error(14, "Mail is sent without TLS.", "Use a mail server with STARTTLS.")
    if settings.ENV.mail_host and settings.ENV.mail_from.endswith("@localhost"):
        yield error(15, "Mail would come from @localhost and be refused.", "Set BITGOEUL_MAIL_FROM.")


def key_files() -> Iterator[checks.CheckMessage]:
    """Private keys that only their owner may read."""
    folder = Path(settings.KEYS)
    private = [path for path in folder.glob("*") if path.is_file() and path.suffix != ".pub"]
    for path in private:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield error(
                16, f"{path} can be read by others.", f"chmod 600 {path}; make a new key if others had it."
            )


def metrics() -> Iterator[checks.CheckMessage]:
    """Figures for those who hold a real token."""
    token = settings.ENV.metrics_token
    if token and len(token) < TOKEN_LENGTH_MIN:
        yield error(17, "The metrics token is short.", f"Use {TOKEN_LENGTH_MIN} random characters or more.")


def people() -> Iterator[checks.CheckMessage]:
    """No example people in an installation for the public."""
    try:
        found = accounts.example_people()
    except DatabaseError:  # `doctor` and /readyz speak of that
        return
    if found:
        yield error(18, f"{found} example people have accounts here.",
                    "Begin with an empty database: the example is for trying out.")  # fmt: skip


CHECKS: tuple[Callable[[], Iterator[checks.CheckMessage]], ...] = (
    mode, secret_key, hosts, tls, database, mail, key_files, metrics, people,
)  # fmt: skip


def deploy(app_configs: Any = None, **_options: Any) -> Sequence[checks.CheckMessage]:
    """All of them, as Django calls a check."""
    return [message for check in CHECKS for message in check()]


def connect() -> None:
    """Register with Django; called once when everything is loaded."""
    checks.register(deploy, checks.Tags.security, deploy=True)


def examine() -> list[checks.CheckMessage]:
    """Ours and Django's own; what ours says better is said once."""
    found = checks.run_checks(include_deployment_checks=True)
    return [message for message in found if message.id not in DJANGO_REPLACED]

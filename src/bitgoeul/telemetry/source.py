"""Where an HTTP reader asks, checked before anything is asked. Light: every job's supervisor imports it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_


@dataclass(frozen=True)
class Source:
    """Where an HTTP reader asks: ``url`` without credentials, which stand in ``credentials_file``.

    That file holds ``user:password`` or ``Bearer token`` on its first line and is read at each request, so that
    they can be changed. ``ca_file`` names who signs the other side's certificate, if it is not who the machine
    trusts anyway. Certificates are always verified.
    """

    url: str
    ca_file: str = ""
    credentials_file: str = ""

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise BadInput for an address that cannot be asked, or not safely."""
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError as error:
            raise BadInput(N_("“url” is not an address: {error}."), field="url", error=str(error)) from error
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not self.url.isascii():
            raise BadInput(N_("“url” must be an http or https address."), field="url")
        if any(each.isspace() or not each.isprintable() for each in self.url):
            raise BadInput(N_("“url” must be an http or https address."), field="url")
        if parts.username is not None or parts.password is not None:
            raise BadInput(N_("“url” must hold no password: name a credentials_file."), field="url")
        for name in ("ca_file", "credentials_file"):
            value = getattr(self, name)
            if value and not Path(value).is_absolute():
                raise BadInput(N_("“{name}” must be an absolute path."), field=name, name=name)
        if self.credentials_file and parts.scheme == "http" and not is_loopback(parts.hostname):
            raise BadInput(N_("Credentials go only over https: correct “url”."), field="url")


def is_loopback(host: str) -> bool:
    """Whether a host's name or number means this machine itself."""
    import ipaddress  # most jobs' supervisors never need it

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""Whose address a request was sent to, and from whose page: the names of this app, and its own origin."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from vcs_demo.errors import UserError, quoted

HERE = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?")
_PORTS = {"http": "80", "https": "443"}


def named(variable: str) -> frozenset[str]:
    """Return the names in an environment variable, which are separated by commas."""
    return frozenset(name.strip() for name in os.environ.get(variable, "").split(",") if name.strip())


@dataclass(frozen=True)
class Host:
    """A host and the port as written, which may be empty; both lower case."""

    name: str
    port: str = ""

    @classmethod
    def of(cls, text: str) -> "Host | None":
        """Read a Host header; None if it is no host."""
        match = _HOST.fullmatch(text.strip().lower())
        return cls(match[1] or match[2], match[3] or "") if match else None

    @property
    def is_address(self) -> bool:
        """Tell whether it is an IP address: no name server can point it elsewhere."""
        try:
            ipaddress.ip_address(self.name)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class Hosts:
    """The names that the app answers to.

    Attributes:
        names: lower case, without ports.
        addresses: whether it also answers to every IP address, which DNS rebinding cannot use.
        forwarded: whether a proxy that is always there writes X-Forwarded-Host (a Space's).
    """

    names: frozenset[str]
    addresses: bool = True
    forwarded: bool = False

    @classmethod
    def from_environment(cls, mode: str, bound: str) -> "Hosts":
        """Choose by how people are told apart.

        With one user: this machine's own names alone. On a Space: $SPACE_HOST. Else localhost, every IP address, the
        address that the app listens on, and $VCS_HOSTS.

        Args:
            mode: of `Access`.
            bound: the address that the app listens on.

        Raises:
            UserError: $VCS_HOSTS has something else than host names.
        """
        if mode == "single":
            return cls(HERE, addresses=False)
        on_space = bool(os.environ.get("SPACE_ID"))
        names = set(HERE) if on_space else {*HERE, bound.lower()}
        for name in named("VCS_HOSTS") | (named("SPACE_HOST") if on_space else frozenset()):
            host = Host.of(name)
            if host is None:
                raise UserError(
                    f"VCS_HOSTS has {quoted(name)}, which is no host name; give names such as labels.example.org, "
                    "separated by commas."
                )
            names.add(host.name)
        return cls(frozenset(names), forwarded=on_space)

    def asked(self, headers: Mapping[str, str]) -> Host | None:
        """Return the host that a request was sent to; None if it names none."""
        text = headers.get("x-forwarded-host", "").split(",")[0] if self.forwarded else ""
        return Host.of(text or headers.get("host", ""))

    def own(self, host: Host) -> bool:
        """Tell whether the app answers to a host."""
        return host.name in self.names or (self.addresses and host.is_address)


def same_origin(url: str, host: Host, scheme: str) -> bool:
    """Tell whether an Origin or a Referer is the app's own.

    A proxy may end TLS and not say so, so a page of https may ask by http, but never the other way round.

    Args:
        url: of the page that asks; `null` is nobody's.
        host: that was asked.
        scheme: by which it was asked, as far as the app knows.
    """
    try:
        parts = urlsplit(url.strip().lower())
    except ValueError:
        return False
    page = Host.of(parts.netloc)
    if parts.scheme not in _PORTS or page is None or (scheme == "https" and parts.scheme != "https"):
        return False
    default = _PORTS[parts.scheme]
    return (page.name, page.port or default) == (host.name, host.port or default)

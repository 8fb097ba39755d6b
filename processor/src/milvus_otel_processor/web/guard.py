"""Who may ask for the page and its API: those who know its name, from the page itself, and with a token where one is wanted.

A browser is the one client that others can make ask: a foreign page cannot read the answers, and is refused besides. A foreign name
that was made to lead here (DNS rebinding) is refused by the Host header.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.datastructures import Headers

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""On every answer of the page and its API."""

_SAME_SITE = frozenset({"same-origin", "none"})


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: int
    message: str


class Guard:
    """Looks at the headers of requests; `is_shown` tells whether headers have the token, where one is wanted."""

    def __init__(
        self, hosts: Sequence[str], is_shown: Callable[[Sequence[tuple[str, str]]], bool] | None = None
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts) | {"localhost"}
        self._is_shown = is_shown

    @property
    def wants_token(self) -> bool:
        """Whether a token has to be shown."""
        return self._is_shown is not None

    def refusal_of_page(self, headers: Headers) -> Refusal | None:
        """Say why a file of the page is not to be had."""
        host = headers.get("host", "")
        if self._is_ours(host):
            return None
        return Refusal(
            421,
            f"the page is not served as {_name(host)[:100]!r}: ask for it as localhost, or put the name into "
            "service.telemetry.page.allowed_hosts",
        )

    def refusal(self, headers: Headers) -> Refusal | None:
        """Say why a request to the API is refused."""
        refused = self.refusal_of_page(headers)
        if refused is not None:
            return refused
        if headers.get("sec-fetch-site", "none") not in _SAME_SITE or not _is_of(
            headers.get("origin"), headers["host"]
        ):
            return Refusal(403, "refused: it comes from another site")
        if self._is_shown is not None and not self._is_shown(headers.items()):
            return Refusal(401, "a token is wanted: Authorization: Bearer …, see service.telemetry.page.auth")
        return None

    def _is_ours(self, host: str) -> bool:
        name = _name(host)
        return name in self._hosts or _is_address(name)


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_of(origin: str | None, host: str) -> bool:
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()

"""The base of every settings model, and the value types that the Collector's YAML has."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_UNIT_SECONDS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),  # the micro sign, and below the Greek letter: Go takes both
    "μs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_TERM = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"[+-]?(?:{_TERM.pattern})+")


ComponentId = Annotated[str, "component id"]
"""The id of a component, `type` or `type/name`. A list of these is never a text: the Collector splits none at commas."""


class Settings(BaseModel):
    """Settings of one component: typed, immutable, and closed to keys that nobody knows."""

    # A model is built when it is first used: a command that reads no configuration, or a part of it, need not wait for all.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=False, defer_build=True
    )

    def notes(self) -> list[str]:
        """Return what means nothing here, or can never matter: for each the path of a value, a colon and what is to be said."""
        return []


class AuthSettings(Settings):
    """Who may send, or how we show who we are."""

    authenticator: ComponentId = Field(
        description="The id of a `bearertokenauth` extension: the token that senders have to show, or that we show."
    )


def parse_duration(text: object) -> float:
    """Return the seconds that a duration such as ``1m30s`` means, written as Go's ``time.ParseDuration`` reads it.

    Raises ValueError for anything else, a bare number other than 0 included: the Collector takes it for nanoseconds.
    """
    if isinstance(text, str) and _DURATION.fullmatch(text):
        seconds = sum(Decimal(number) * _UNIT_SECONDS[unit] for number, unit in _TERM.findall(text))
        return float(-seconds if text.startswith("-") else seconds)
    if text in ("0", 0) and not isinstance(text, bool):
        return 0.0
    if isinstance(text, float):
        return text
    raise ValueError("expected a duration with its unit, such as 10s, 1m30s or 500ms")


def _not_negative(value: object) -> float:
    seconds = parse_duration(value)
    if seconds < 0:
        raise ValueError("expected a duration of 0s or more")
    return seconds


Duration = Annotated[float, BeforeValidator(_not_negative)]
"""Seconds as a float; in YAML a string with a unit, as the Collector writes it."""

_ADDRESS = re.compile(r"(\[[^\[\]]+\]|[^\s:/@\[\]]+):(\d{1,5})")
_SCHEME = re.compile(r"https?://|dns:///")


def _checked_address(text: str) -> str:
    """Return an address; gRPC itself would listen on port 65536 + n as port n, without a word."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise ValueError("expected host:port with a port up to 65535, such as 127.0.0.1:4317 or [::]:4317")
    return text


def _checked_target(text: str) -> str:
    _checked_address(_SCHEME.sub("", text, count=1))
    return text


def _checked_url(url: str) -> str:
    if "@" in url.rpartition("://")[2].partition("/")[0]:
        raise ValueError("expected no user and no password in it: URLs are shown, in logs and on pages")
    return url


Url = Annotated[str, AfterValidator(_checked_url)]
"""A URL, without a user and a password."""

Address = Annotated[str, AfterValidator(_checked_address)]
"""Where to listen: `host:port`, with an IPv6 host in brackets."""

Target = Annotated[str, AfterValidator(_checked_target)]
"""Where to connect: `host:port`, after `http://`, `https://` or `dns:///` if one is there."""

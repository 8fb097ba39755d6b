"""The one format of Milvus' access log that this processor reads, and the parser of its lines.

Milvus escapes nothing, and several fields hold what a client wrote. So the line is laid out for safety: first what Milvus
alone writes, then the texts of clients, the error message last. `$time_cost` comes twice, before and after those texts: it
is a duration in nanoseconds that no client can know beforehand, so between the two there is exactly what Milvus put there,
and a line in which a text holds the separator is seen to have one field too many. The filter expression is left out.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

FIELDS = (
    "time_now",
    "method_name",
    "user_addr",
    "time_cost",
    "trace_id",
    "user_name",
    "sdk_version",
    "database_name",
    "partition_name",
    "collection_name",
    "time_cost",
    "method_status",
    "error_code",
    "error_msg",
)
"""The fields of a line in their order, tab-separated; Milvus' own names of them."""
FORMAT = "\t".join(f"${name}" for name in FIELDS)
"""The value of `proxy.accessLog.formatters.base.format` in milvus.yaml."""

_UNKNOWN = frozenset(("", "Unknown"))  # Milvus' word for what a request does not have
_SUCCESS = frozenset(("OK", "Successful"))  # until Milvus 2.3, and since
_COST_FIRST, _COST_SECOND = 3, 10
_TIME = re.compile(r"(\d{4}/\d\d/\d\d) (\d\d):(\d\d):(\d\d)\.(\d{3}) ([+-])(\d\d):(\d\d)")
_COST = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)(ns|µs|ms|s))?")
_UNIT_NANOSECONDS = {"ns": 1, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")
_METHOD = re.compile(r"\w+")
_CODE = re.compile(r"-?\d+")
_NAME = re.compile(
    r"[A-Za-z_][A-Za-z0-9_$]{0,254}"
)  # what Milvus accepts as a name of a collection, database or partition
_EXPRESSION = re.compile(r"(cannot parse expression: ).*?(, error: |$)", re.DOTALL)
_LONGEST_TEXT = 1024


class Line(NamedTuple):
    """What Milvus wrote of one request; None is what it does not say. Times are nanoseconds, `end` since the epoch."""

    end: int
    cost: int
    method: str
    peer: str
    trace_id: bytes | None
    """16 bytes, or None where a client's `client_request_id` stands in its place."""
    user: str | None
    sdk_version: str | None
    namespace: str | None
    partitions: tuple[str, ...] | None
    collection: str | None
    failed: bool
    code: str
    message: str | None
    """Of a failed request, without the filter expression that Milvus could not parse."""


def parse(text: str) -> Line | None:
    """Return the line that the text is, or None if it is not a whole line of our format."""
    fields = text.rstrip("\r\n").split("\t", len(FIELDS) - 1)
    if len(fields) != len(FIELDS) or fields[_COST_FIRST] != fields[_COST_SECOND]:
        return None
    now, method, peer, cost_text, trace_id, user, sdk, namespace, partitions, collection, _, status, code, message = (
        fields
    )
    end, cost = _time(now), _cost(cost_text)
    if end is None or cost is None or not _METHOD.fullmatch(method) or not _CODE.fullmatch(code):
        return None
    failed = status not in _SUCCESS or code != "0"
    return Line(
        end,
        cost,
        method,
        peer,
        bytes.fromhex(trace_id) if _TRACE_ID.fullmatch(trace_id) else None,
        _text(user),
        _text(sdk),
        _name(namespace),
        _names(partitions),
        _name(collection),
        failed,
        code,
        _message(message) if failed else None,
    )


def _text(text: str) -> str | None:
    return None if text in _UNKNOWN else text[:_LONGEST_TEXT]


@lru_cache(maxsize=4096)
def _name(text: str) -> str | None:
    # What Milvus would not take as a name is no collection; it is only in the line of a request that failed.
    return text if text not in _UNKNOWN and _NAME.fullmatch(text) else None


@lru_cache(maxsize=4096)
def _names(text: str) -> tuple[str, ...] | None:
    listed = text[1:-1].split(" ") if text[:1] == "[" and text[-1:] == "]" else [text]
    names = tuple(name.strip('",') for name in listed)  # newer versions write ["a", "b"]
    return names if all(_name(name) for name in names) else None


def _message(text: str) -> str | None:
    return _EXPRESSION.sub(r"\1…\2", text)[:_LONGEST_TEXT] or None


def _cost(text: str) -> int | None:
    """Return the nanoseconds of a duration as Go prints it: 261.921µs, 1.5s, 1m2.5s."""
    match = _COST.fullmatch(text)
    if match is None or not text:
        return None
    hours, minutes, number, unit = match.groups()
    nanoseconds = round(float(number) * _UNIT_NANOSECONDS[unit]) if number else 0
    return (int(hours or 0) * 3600 + int(minutes or 0) * 60) * 1_000_000_000 + nanoseconds


def _time(text: str) -> int | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    date, hours, minutes, seconds, milliseconds, sign, zone_hours, zone_minutes = match.groups()
    midnight = _midnight(date, sign, zone_hours, zone_minutes)
    if midnight is None:
        return None
    since = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return (midnight + since) * 1_000_000_000 + int(milliseconds) * 1_000_000


@lru_cache(maxsize=16)
def _midnight(date: str, sign: str, zone_hours: str, zone_minutes: str) -> int | None:
    """Return the seconds since the epoch at which the day began in that zone, or None if there is no such day."""
    try:
        day = datetime.strptime(date, "%Y/%m/%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    return int((day - offset if sign == "+" else day + offset).timestamp())

"""The W3C `tracestate`: a list of keys and values, in which one mistake makes all of it void."""

from __future__ import annotations

import re

from milvus_otel_processor.remembering import remember

_MEMBERS_LIMIT = 32
_REMAINDER = rb"[a-z0-9_\-*/]"
_KEY = re.compile(rb"[a-z]%s{0,255}|[a-z0-9]%s{0,240}@[a-z]%s{0,13}" % (_REMAINDER, _REMAINDER, _REMAINDER))
_VALUE = re.compile(rb"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_REMEMBERED = 1024


@remember(_REMEMBERED)
def parse(text: bytes) -> dict[bytes, bytes] | None:
    """Return the members of a `tracestate`, or None where it is not valid (https://www.w3.org/TR/trace-context-1/#tracestate-header).

    Empty members are passed over; a key that comes twice, or more than 32 members, are not valid, as opentelemetry-go has it.
    """
    members: dict[bytes, bytes] = {}
    for member in text.split(b","):
        if not member:
            continue
        key, equals, value = member.partition(b"=")
        key, value = key.lstrip(b" \t"), value.rstrip(b" \t")
        if not equals or key in members or not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            return None
        members[key] = value
    return members if len(members) <= _MEMBERS_LIMIT else None

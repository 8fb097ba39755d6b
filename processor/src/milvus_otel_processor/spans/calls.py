"""Milvus' own spans of the calls of its clients, found in the bytes of a request without cutting it up."""

from __future__ import annotations

import re
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.remembering import remember
from milvus_otel_processor.spans.schema import AttributesView, DecodeError, HeadView, RequestView

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = b"milvus.proto.milvus.MilvusService/"
_SERVER = 2  # SpanKind
_TIMES = Struct("<Q1xQ").unpack_from
_KIND_AND_START, _END = b"\x30\x02\x39", 0x41  # fields 6 (SERVER) and 7, field 8
_NAME, _PARENT, _SPAN_ID, _TRACE_ID = 0x2A, b"\x22\x08", b"\x12\x08", b"\x0a\x10"
_SPANS = 0x12  # field 2 of ScopeSpans, length-delimited
_LONG = 0x80
_HEAD = 40  # bytes before the name: the ids of trace, span and parent

_STATUS_KEY = b"rpc.grpc.status_code"
_STATUS = _STATUS_KEY + b"\x12\x02\x18"  # and then the status, which is below 128
_PEER = b"net.sock.peer.addr\x12"
_ADDRESS, _PORT_FIELD = (
    22,
    28,
)  # where the address is in that attribute, and how long the one with the port behind it is
_PEER_WORD = re.compile(rb"peer|client\.address").search
_peer_field = re.compile(
    rb"net\.sock\.peer\.addr\x12.\x0a(.)(.*?)\x4a.\x0a\x12net\.sock\.peer\.port\x12.\x18([\x80-\xff]*[\x00-\x7f])",
    re.DOTALL,
).match
_PEERS_REMEMBERED = 4096
_PEER_ADDRESS = (b"net.sock.peer.addr", b"network.peer.address", b"client.address")
_PEER_PORT = (b"net.sock.peer.port", b"network.peer.port", b"client.port")


class Call(NamedTuple):
    """One call as Milvus' own span shows it: times in nanoseconds since the epoch, `peer` as the access log has it."""

    trace_id: bytes
    span_id: bytes
    start: int
    end: int
    method: str
    peer: str | None
    """`tcp-127.0.0.1:36938`; None where the span does not say."""
    status: int = 0
    """The gRPC status with which it ended."""


def served_calls(request: bytes) -> list[Call]:
    """Return the calls whose spans are in a serialized ExportTraceServiceRequest, which is valid protobuf.

    A span that is not is left out.
    """
    calls: list[Call] = []
    at = request.find(SERVICE)
    while at >= 0:
        if request[at - 2] == _NAME:
            end = at + request[at - 1]
            if request[end : end + 3] == _KIND_AND_START:
                call = _read(request, at, end)
                if call is None:
                    return _decoded(request)
                calls.append(call)
        at = request.find(SERVICE, at + len(SERVICE))
    return calls


def call_of(span: bytes) -> Call | None:
    """Return the call that a serialized span is Milvus' own of, or None. Raises DecodeError where it is malformed."""
    head = HeadView.FromString(span)
    if head.kind != _SERVER or not head.name.startswith(SERVICE):
        return None
    method = head.name[len(SERVICE) :].decode("utf-8", "replace")
    times = head.start_time_unix_nano, head.end_time_unix_nano
    value = next((pair.value for pair in AttributesView.FromString(span).attributes if pair.key == _STATUS_KEY), None)
    status = value.int_value if value is not None else 0
    return Call(head.trace_id, head.span_id, *times, method, peer_of(span), status)


def peer_of(span: bytes) -> str | None:
    """Return the address that the caller came from, as Milvus' access log has it, or None."""
    values = {pair.key: pair.value for pair in AttributesView.FromString(span).attributes}
    address = next((values[key].string_value for key in _PEER_ADDRESS if key in values), None)
    port = next((values[key] for key in _PEER_PORT if key in values), None)
    if address is None or port is None:
        return None
    return _peer(address, port.int_value or port.string_value.decode("utf-8", "replace"))


def _peer(address: bytes, port: int | str) -> str:
    text = address.decode("utf-8", "replace")
    return f"tcp-[{text}]:{port}" if ":" in text else f"tcp-{text}:{port}"


def _read(request: bytes, at: int, name_end: int) -> Call | None:
    """Read the span whose name is at this place, where everything stands as encoders put it; None where it does not."""
    ids = at - 12 if request[at - 12 : at - 10] == _SPAN_ID else at - 22
    begin = ids - 18
    if request[ids : ids + 2] != _SPAN_ID or request[begin : begin + 2] != _TRACE_ID or request[name_end + 11] != _END:
        return None
    if ids != at - 12 and request[at - 12 : at - 10] != _PARENT:
        return None
    length = _length_before(request, begin)
    if length is None:
        return None
    start, end = _TIMES(request, name_end + 3)
    after = begin + length
    peer = _peer_in(request, name_end + 20, after)
    if peer is None and _PEER_WORD(request, name_end + 20, after):
        return None
    status = request.find(_STATUS, name_end + 20, after)
    return Call(
        request[begin + 2 : begin + 18],
        request[ids + 2 : ids + 10],
        start,
        end,
        _text(request[at + len(SERVICE) : name_end]),
        peer,
        request[status + len(_STATUS)] if status >= 0 else 0,
    )


def _length_before(request: bytes, begin: int) -> int | None:
    """Return the length of the span that begins here: it stands before it, in one to three bytes."""
    low = request[begin - 1]
    if low >= _LONG:
        return None
    if request[begin - 2] < _LONG:
        return low if request[begin - 2] == _SPANS else None
    if request[begin - 3] < _LONG:
        return request[begin - 2] & 0x7F | low << 7 if request[begin - 3] == _SPANS else None
    if request[begin - 4] == _SPANS:
        return request[begin - 3] & 0x7F | (request[begin - 2] & 0x7F) << 7 | low << 14
    return None


def _peer_in(request: bytes, begin: int, end: int) -> str | None:
    at = request.find(_PEER, begin, end)
    if at < 0:
        return None
    length = request[at + _ADDRESS - 1] if at + _ADDRESS < end else 0
    return _peer_of_field(request[at : at + _ADDRESS + length + _PORT_FIELD])


@lru_cache(maxsize=_PEERS_REMEMBERED)
def _peer_of_field(field: bytes) -> str | None:
    found = _peer_field(field)
    if found is None or len(found[2]) != found[1][0]:
        return None
    port = 0
    for place, byte in enumerate(found[3]):
        port |= (byte & 0x7F) << 7 * place
    return _peer(found[2], port)


@remember(_PEERS_REMEMBERED)
def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _decoded(request: bytes) -> list[Call]:
    calls = []
    for span in _spans(request):
        if SERVICE in span:
            try:
                call = call_of(span)
            except DecodeError:
                continue
            if call is not None:
                calls.append(call)
    return calls


def _spans(request: bytes) -> Iterator[bytes]:
    for resource_spans in RequestView.FromString(request).resource_spans:
        for scope_spans in resource_spans.scope_spans:
            yield from scope_spans.spans

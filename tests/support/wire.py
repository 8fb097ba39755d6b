"""Protobuf's wire format by hand: to write what no library writes, and to read without any library's idea of order."""

from collections.abc import Iterator

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, wire_type: int, payload: bytes) -> bytes:
    """One field; the payload of VARINT and of fixed sizes is taken as it is."""
    length = varint(len(payload)) if wire_type == DELIMITED else b""
    return varint(number << 3 | wire_type) + length + payload


def delimited(number: int, payload: bytes) -> bytes:
    return field(number, DELIMITED, payload)


def fields(message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The number, wire type and payload of each field of a valid message, in their order."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            _, end = _read_varint(message, at)
        elif wire_type == DELIMITED:
            size, at = _read_varint(message, at)
            end = at + size
        else:
            end = at + _FIXED_SIZES[wire_type]
        yield number, wire_type, message[at:end]
        at = end


def submessages(message: bytes, number: int) -> list[bytes]:
    """The payloads of each field with this number, in their order."""
    return [payload for found, _, payload in fields(message) if found == number]


def spans_of(request: bytes) -> list[bytes]:
    """The spans of a serialized ExportTraceServiceRequest, as they are written in it."""
    return [
        span
        for resource_spans in submessages(request, 1)
        for scope_spans in submessages(resource_spans, 2)
        for span in submessages(scope_spans, 2)
    ]


def grouped_spans(request: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Each span of a request as it is written, behind its two envelopes: what remains of them without scope spans and spans."""
    return [
        (_without(resource_spans, 2), _without(scope_spans, 2), span)
        for resource_spans in submessages(request, 1)
        for scope_spans in submessages(resource_spans, 2)
        for span in submessages(scope_spans, 2)
    ]


def _without(message: bytes, number: int) -> bytes:
    return b"".join(
        field(found, wire_type, payload) for found, wire_type, payload in fields(message) if found != number
    )


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7

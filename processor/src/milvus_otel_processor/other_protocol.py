"""What is said of something that answers where HTTP was expected, and speaks another protocol."""

from __future__ import annotations

from http.client import BadStatusLine, HTTPException, UnknownProtocol

from milvus_otel_processor.printable import shortened

_HTTP2_SETTINGS = ("\x00\x00", "\x04")
"""How the first frame of an HTTP/2 server begins: a short length, in three bytes, and its type (RFC 9113, 4.1, 6.5)."""
_LONGEST = 60


def of_another_protocol(error: HTTPException) -> str:
    """Return what to say of an answer that is no HTTP/1.1: some of it, as it came, is the message of `http.client`'s error."""
    came = str(error).rstrip("\r\n")
    if not isinstance(error, BadStatusLine | UnknownProtocol):
        return f"there is no answer in HTTP: {shortened(came)}"
    length, kind = _HTTP2_SETTINGS
    if came.startswith(length) and came[3:4] == kind:
        return "it does not speak HTTP; it is a gRPC port, most likely"
    return f"it does not speak HTTP; its answer begins with “{shortened(came, _LONGEST)}”"

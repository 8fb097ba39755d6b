"""Inflates requests that are compressed, never beyond a bound that is known before."""

from __future__ import annotations

import zlib

_GZIP, _ANY_ZLIB = b"\x1f\x8b", 32 + zlib.MAX_WBITS  # gzip or zlib, by what it begins with
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_CHUNK = 1 << 20


class TooLargeError(Exception):
    """A request inflates to more than is taken."""


class InflateError(Exception):
    """A request is compressed, and broken."""


def is_compressed(message: bytes) -> bool:
    """Tell whether a message is compressed, by its first bytes: no OTLP request begins with these."""
    return message[:2] == _GZIP or message[:2] in _ZLIB


def announced_size(message: bytes) -> int:
    """Return how large a compressed message says that it is, which need not be true; bytes."""
    # The last four bytes of gzip. zlib does not say; few texts shrink to less than a tenth.
    return int.from_bytes(message[-4:], "little") if message[:2] == _GZIP else len(message) * 10


def inflate(message: bytes, largest: int) -> bytes:
    """Return what was compressed. Raises TooLargeError beyond `largest` bytes, InflateError where it is broken or cut short."""
    parts, size = [], 0
    decompressor = zlib.decompressobj(_ANY_ZLIB)
    rest = message
    try:
        while not decompressor.eof:
            part = decompressor.decompress(rest, _CHUNK)
            rest = decompressor.unconsumed_tail
            if not part and not rest and not decompressor.eof:
                raise InflateError("it is cut short")
            size += len(part)
            if size > largest:
                raise TooLargeError
            parts.append(part)
        if decompressor.unused_data:
            raise InflateError("there is more behind its end")
    except zlib.error as error:
        raise InflateError(str(error)) from None
    return b"".join(parts)

"""Converters that hash, and that write bytes down."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.ottl.coercion import bytes_like, string
from milvus_otel_processor.sampling.ottl.converters.base import Converter, converter
from milvus_otel_processor.sampling.ottl.values import int64
from milvus_otel_processor.spans.fnv import fnv1a

if TYPE_CHECKING:
    from collections.abc import Callable


def _digest(algorithm: Callable[..., hashlib._Hash]) -> Converter:
    def hexadecimal(text: bytes) -> bytes:
        return algorithm(text, usedforsecurity=False).hexdigest().encode()

    return converter(hexadecimal, ("target", string))


CONVERTERS = {
    "FNV": converter(lambda text: int64(fnv1a(text)), ("target", string)),
    "Hex": converter(lambda value: value.hex().encode(), ("target", bytes_like)),
    "MD5": _digest(hashlib.md5),
    "SHA1": _digest(hashlib.sha1),
    "SHA256": _digest(hashlib.sha256),
    "SHA512": _digest(hashlib.sha512),
}

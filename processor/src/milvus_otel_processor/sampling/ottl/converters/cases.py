"""Converters between the ways to join words: `some_name`, `SomeName` (github.com/iancoleman/strcase, which the Collector calls)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.ottl.coercion import string
from milvus_otel_processor.sampling.ottl.converters.base import Converter, Parameter, converter
from milvus_otel_processor.sampling.ottl.converters.strings import lower, upper

if TYPE_CHECKING:
    from collections.abc import Callable

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_UPPER, _LOWER, _DIGIT, _OTHER = "upper", "lower", "digit", "other"
_BETWEEN_WORDS = b" _-."


def _kind(byte: int) -> str:
    if 0x41 <= byte <= 0x5A:
        return _UPPER
    if 0x61 <= byte <= 0x7A:
        return _LOWER
    return _DIGIT if 0x30 <= byte <= 0x39 else _OTHER


def _trimmed(text: bytes) -> bytes:
    return text.decode("utf-8", "surrogateescape").strip(_SPACE).encode("utf-8", "surrogateescape")


def snake(text: bytes) -> bytes:
    """Return `some_name` of `SomeName`: a new word begins where letters change their case, and between letters and digits."""
    text = _trimmed(text)
    found = bytearray()
    kinds = [_kind(byte) for byte in text]
    for at, (byte, kind) in enumerate(zip(text.lower(), kinds, strict=True)):
        following = kinds[at + 1] if at + 1 < len(text) else _OTHER
        if kind != _OTHER and following not in (_OTHER, kind):
            if kind == _UPPER and following == _LOWER and at > 0 and kinds[at - 1] == _UPPER:
                found += b"_"  # JSONData: the last capital begins the next word
            found.append(byte)
            if kind in (_LOWER, _DIGIT) or following == _DIGIT:
                found += b"_"
        else:
            found += b"_" if byte in _BETWEEN_WORDS else bytes([byte])
    return bytes(found)


def camel(text: bytes) -> bytes:
    """Return `SomeName` of `some_name`; what is neither a letter nor a digit is left out."""
    found = bytearray()
    begins, previous = True, _OTHER
    for byte in _trimmed(text):
        kind = _kind(byte)
        if kind in (_UPPER, _LOWER):
            if begins:
                found += bytes([byte]).upper()
            else:
                found += bytes([byte]).lower() if previous == kind == _UPPER else bytes([byte])
            begins = False
        elif kind == _DIGIT:
            found.append(byte)
            begins = True
        else:
            begins = byte in _BETWEEN_WORDS
        previous = kind
    return bytes(found)


_CASES: dict[bytes, Callable[[bytes], bytes]] = {b"lower": lower, b"upper": upper, b"snake": snake, b"camel": camel}


def _check_case(_: bytes | None, case: bytes | None) -> None:
    if case not in _CASES:
        raise ValueError(f"ConvertCase: toCase: {case!r} is not known, expected lower, upper, snake or camel")


CONVERTERS = {
    "ConvertCase": Converter(
        lambda target, case: _CASES[case](target),
        (Parameter("target", string), Parameter("to_case", string, literal=True)),
        check=_check_case,
    ),
    "ToCamelCase": converter(camel, ("target", string)),
    "ToSnakeCase": converter(snake, ("target", string)),
}

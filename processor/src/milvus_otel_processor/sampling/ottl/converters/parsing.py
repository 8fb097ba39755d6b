"""Converters that read what a text holds: JSON, pairs, numbers, base64, parts that a regular expression names."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

import re2

from milvus_otel_processor.remembering import remember
from milvus_otel_processor.sampling.expressions import compiled
from milvus_otel_processor.sampling.ottl.coercion import a_map, any_value, boolean, integer, string, string_like
from milvus_otel_processor.sampling.ottl.converters.base import Converter, Parameter, converter
from milvus_otel_processor.sampling.ottl.errors import OttlError
from milvus_otel_processor.sampling.ottl.values import GREATEST_INT, LEAST_INT, type_name
from milvus_otel_processor.sampling.text import REPLACEMENT, decoded, valid

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.sampling.ottl.values import Value

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_EXPRESSIONS_REMEMBERED = 128
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_PREFIXES = {b"0x": 16, b"0o": 8, b"0b": 2}
_GREATEST_BASE = 36
_DIGITS = b"0123456789abcdefghijklmnopqrstuvwxyz"
_DIGITS = b"0123456789abcdefghijklmnopqrstuvwxyz"


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number} is beyond what a double holds")
    return value


def _parse_json(text: bytes) -> Value:
    """Return the map or the list; numbers are doubles, as in the Collector."""
    try:
        value = json.loads(decoded(text), parse_int=_finite, parse_float=_finite, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise OttlError(f"ParseJSON: {error}") from None
    if not isinstance(value, dict | list):
        raise OttlError(f"ParseJSON: expected an object or an array but got {type(value).__name__}")
    return _from_json(value)


def _from_json(value: Any) -> Value:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub(REPLACEMENT, value).encode()
    if isinstance(value, dict):
        return {_from_json(key): _from_json(item) for key, item in value.items()}
    return [_from_json(item) for item in value] if isinstance(value, list) else value


def _parse_int(text: bytes, base: int) -> int:
    """Read a number as Go's strconv.ParseInt does; base 0 goes by the number's prefix."""
    if base < 0 or base == 1 or base > _GREATEST_BASE:
        raise OttlError(f"ParseInt: there is no base {base}")
    sign, digits = (text[:1], text[1:]) if text[:1] in (b"+", b"-") else (b"", text)
    if base == 0:
        base, digits = _base_of(digits)
    if not digits or digits.lower().strip(_DIGITS[:base]):
        raise OttlError(f"ParseInt: {text!r} is no number of base {base}")
    number = int(sign + digits, base)
    if not LEAST_INT <= number <= GREATEST_INT:
        raise OttlError(f"ParseInt: {text!r} is beyond what an int64 holds")
    return number


def _base_of(digits: bytes) -> tuple[int, bytes]:
    """Return the base that a prefix names, and the digits behind it; single underscores between digits count for nothing."""
    base = _PREFIXES.get(digits[:2].lower())
    if base is not None:
        rest, spaced = digits[2:], digits[2:].removeprefix(b"_")
    elif digits[:1] == b"0" and len(digits) > 1:
        base, rest, spaced = 8, digits[1:], digits[1:].removeprefix(b"_")
    else:
        base, rest, spaced = 10, digits, digits
    is_spaced_well = spaced and b"__" not in spaced and not spaced.startswith(b"_") and not spaced.endswith(b"_")
    return base, spaced.replace(b"_", b"") if is_spaced_well else rest


def _check_delimiters(_: Any, delimiter: bytes | None, pair_delimiter: bytes | None, *__: Any) -> None:
    if delimiter == b"" or pair_delimiter == b"":
        raise ValueError("a delimiter cannot be empty")
    if (delimiter or b"=") == (pair_delimiter or b" "):
        raise ValueError("the delimiter and the pair delimiter cannot be the same")


def _parse_key_value(text: bytes, delimiter: bytes | None, pair_delimiter: bytes | None) -> Value:
    if not text:
        raise OttlError("ParseKeyValue: the text is empty")
    found: dict[bytes, Value] = {}
    for pair in _split_outside_quotes(text, pair_delimiter or b" "):
        key, there, value = pair.partition(delimiter or b"=")
        if not there:
            raise OttlError(f"ParseKeyValue: {pair!r} is no pair")
        found[_trimmed(key)] = _trimmed(value)
    return found


def _trimmed(text: bytes) -> bytes:
    return decoded(text).strip("\t\n\v\f\r \x85\xa0").encode()


def _split_outside_quotes(text: bytes, delimiter: bytes) -> list[bytes]:
    """Split as the Collector does, byte by byte: quotes go, and a byte beyond ASCII becomes the character of its number."""
    found: list[str] = []
    current, quote, is_escaped, at = "", "", False, 0
    while at < len(text):
        if not quote and text.startswith(delimiter, at):
            if current:
                found.append(current)
            current = ""
            at += len(delimiter)
            continue
        character = chr(text[at])
        at += 1
        if not is_escaped:
            if not quote and character in "\"'":
                quote = character
                continue
            if quote and character == quote:
                quote = ""
                continue
            is_escaped = character == "\\"
        else:
            is_escaped = False
        current += character
    if quote:
        raise OttlError("ParseKeyValue: a quote is not closed")
    return [part.encode() for part in (*found, current) if part]


def _to_key_value_string(
    target: dict[bytes, Value], delimiter: bytes | None, pair_delimiter: bytes | None, sort_output: bool | None
) -> bytes:
    between, around = delimiter or b"=", pair_delimiter or b" "
    pairs = sorted(target.items()) if sort_output else target.items()
    return around.join(
        _quoted(key, between, around) + between + _quoted(_text(value), between, around) for key, value in pairs
    )


def _text(value: Value) -> bytes:
    if isinstance(value, bytearray):
        return base64.b64encode(value)
    text = string_like(value)
    return b"" if text is None else bytes(text)


def _quoted(text: bytes, delimiter: bytes, pair_delimiter: bytes) -> bytes:
    text = text.replace(b'"', b'\\"')
    return b'"' + text + b'"' if delimiter in text or pair_delimiter in text else text


@remember(_EXPRESSIONS_REMEMBERED)
def _expression(pattern: bytes) -> Any:
    compiled(decoded(pattern))  # whose message says what is wrong with it
    return re2.compile(decoded(pattern))


def _extract_patterns(target: bytes, pattern: bytes) -> Value:
    try:
        expression = _expression(pattern)
    except ValueError as error:
        raise OttlError(str(error)) from None
    if not expression.groupindex:
        raise OttlError(f"ExtractPatterns: {pattern!r} names no group, expected one such as (?P<name>…)")
    match = expression.search(valid(target))
    if match is None:
        return {}
    return {name.encode(): match.group(number) or b"" for name, number in expression.groupindex.items()}


def _check_pattern(_: bytes | None, pattern: bytes | None) -> None:
    if pattern is not None:
        _expression(pattern)


def _base64_decoded(text: bytes) -> bytes:
    text = text.replace(b"\r", b"").replace(b"\n", b"")
    if len(text) % 4 or not _BASE64.fullmatch(text):
        raise OttlError("it is not base64")
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise OttlError(f"it is not base64: {error}") from None


def _unpadded(text: bytes) -> bytes:
    text = text.replace(b"\r", b"").replace(b"\n", b"")
    if b"=" in text:
        raise OttlError("it is padded, which raw base64 is not")
    return _base64_decoded(text + b"=" * (-len(text) % 4)) if len(text) % 4 != 1 else _base64_decoded(text)


def _from_url(text: bytes) -> bytes:
    if b"+" in text or b"/" in text:
        raise OttlError("it is not base64 for URLs")
    return text.replace(b"-", b"+").replace(b"_", b"/")


_DECODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"base64": _base64_decoded,
    b"base64-raw": _unpadded,
    b"base64-url": lambda text: _base64_decoded(_from_url(text)),
    b"base64-raw-url": lambda text: _unpadded(_from_url(text)),
    b"utf-8": valid,
}
_ENCODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"base64": base64.b64encode,
    b"base64-raw": lambda data: base64.b64encode(data).rstrip(b"="),
    b"base64-url": base64.urlsafe_b64encode,
    b"base64-raw-url": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
}


def _decode(target: Value, encoding: bytes) -> bytes:
    if not isinstance(target, bytes | bytearray):
        raise OttlError(f"Decode: expected a text or bytes but got {type_name(target)}")
    if encoding not in _DECODERS:
        raise OttlError(f"Decode: there is no encoding {encoding!r}")
    return _DECODERS[encoding](bytes(target))


def _check_decoding(_: Value, encoding: bytes | None) -> None:
    if encoding is not None and encoding not in _DECODERS:
        known = ", ".join(name.decode() for name in _DECODERS)
        raise ValueError(f"Decode: there is no encoding {encoding.decode('utf-8', 'replace')!r}; there is {known}")


def _encode(target: bytes, variant: bytes | None) -> bytes:
    variant = b"base64" if variant is None else variant
    if variant not in _ENCODERS:
        raise OttlError(f"Base64Encode: there is no variant {variant!r}")
    return _ENCODERS[variant](target)


_TARGET = Parameter("target", string)
_DELIMITERS = (
    Parameter("delimiter", string, optional=True, literal=True),
    Parameter("pair_delimiter", string, optional=True, literal=True),
)

CONVERTERS = {
    "Base64Decode": Converter(_base64_decoded, (_TARGET,)),
    "Base64Encode": Converter(_encode, (_TARGET, Parameter("variant", string, optional=True))),
    "Decode": Converter(
        _decode, (Parameter("target", any_value), Parameter("encoding", string)), check=_check_decoding
    ),
    "ExtractPatterns": Converter(_extract_patterns, (_TARGET, Parameter("pattern", string)), check=_check_pattern),
    "ParseInt": converter(_parse_int, ("target", string), ("base", integer)),
    "ParseJSON": converter(_parse_json, ("target", string)),
    "ParseKeyValue": Converter(_parse_key_value, (_TARGET, *_DELIMITERS), check=_check_delimiters),
    "ToKeyValueString": Converter(
        _to_key_value_string,
        (Parameter("target", a_map), *_DELIMITERS, Parameter("sort_output", boolean, optional=True, literal=True)),
        check=_check_delimiters,
    ),
}

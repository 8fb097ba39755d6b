"""Converters of text. Lengths and positions count bytes, as in Go."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from milvus_otel_processor.remembering import remember
from milvus_otel_processor.sampling.expressions import compiled
from milvus_otel_processor.sampling.ottl.coercion import a_list, any_value, boolean, integer, string, string_like
from milvus_otel_processor.sampling.ottl.converters.base import Converter, Parameter, converter
from milvus_otel_processor.sampling.ottl.errors import OttlError
from milvus_otel_processor.sampling.text import decoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.sampling.ottl.values import Value

_EXPRESSIONS_REMEMBERED = 128
_ANSWERS_REMEMBERED = 4096


@remember(_EXPRESSIONS_REMEMBERED)
def _search(pattern: bytes) -> Callable[[bytes], bool]:
    search = compiled(decoded(pattern))
    return remember(_ANSWERS_REMEMBERED, longest=128)(search)


def _is_match(target: bytes | None, pattern: bytes) -> bool:
    try:
        search = _search(pattern)
    except ValueError as error:
        raise OttlError(str(error)) from None
    return target is not None and search(target)


def _check_pattern(_: bytes | None, pattern: bytes | None) -> None:
    if pattern is not None:
        _search(pattern)


def _concat(values: Value, delimiter: bytes) -> bytes:
    """Join the texts; a nil among them reads `<nil>`."""
    if type(values) is not list:
        raise OttlError("Concat: expected a list of values")
    texts = [string_like(value) for value in values]
    return delimiter.join(b"<nil>" if text is None else text for text in texts)


def _substring(target: bytes, start: int, length: int, utf8_safe: bool | None = None) -> bytes:
    if start < 0 or length <= 0 or start + length > len(target):
        raise OttlError(f"Substring: {length} bytes from {start} on are not within a string of {len(target)}")
    end = start + length
    if utf8_safe:
        while start < len(target) and _continues(target[start]):
            start += 1
        while start < end < len(target) and _continues(target[end]):
            end -= 1
    return target[start:end]


def _continues(byte: int) -> bool:
    return byte & 0xC0 == 0x80


def _split(target: bytes, delimiter: bytes) -> list[bytes]:
    if delimiter:
        return target.split(delimiter)
    return [character.encode() for character in decoded(target)]


def lower(target: bytes) -> bytes:
    """Return the text in lower case."""
    # One character for one, as Go does it; Python's own lower() makes two of İ.
    return "".join(_single(character, character.lower()) for character in decoded(target)).encode()


def upper(target: bytes) -> bytes:
    """Return the text in upper case."""
    return "".join(_single(character, character.upper()) for character in decoded(target)).encode()


def _single(before: str, after: str) -> str:
    return after if len(after) == 1 else before


def _trim(target: bytes, replacement: bytes | None = None) -> bytes:
    characters = b" " if replacement is None else replacement
    if not characters:
        return target
    return decoded(target).strip(decoded(characters)).encode()


def _is_in_cidr(target: bytes, networks: list[Value]) -> bool:
    """Tell whether the text is an address in one of the networks; False where it is no address."""
    found = _address(target)
    return found is not None and any(found in _network(network) for network in networks)


def _address(text: bytes) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address("" if b"%" in text else text.decode())
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _network(text: Value) -> IPv4Network | IPv6Network:
    if b"/" in string(text):
        try:
            return ip_network(text.decode(), strict=False)
        except ValueError:
            pass
    raise OttlError(f"IsInCIDR: {text!r} is no network, expected one such as 10.0.0.0/8")


def _check_networks(_: bytes | None, networks: list[Value] | None) -> None:
    try:
        for network in networks or ():
            _network(network)
    except OttlError as error:
        raise ValueError(str(error)) from None


def _is_valid_luhn(target: bytes | None) -> bool:
    """Tell whether the last digit is the check digit of those before, as in numbers of credit cards."""
    if target is None:
        raise OttlError("IsValidLuhn: expected a text but got nil")
    digits = target.replace(b" ", b"")
    if not digits:
        return False
    if not digits.isdigit():
        raise OttlError(f"IsValidLuhn: {target!r} holds something else than digits")
    numbers = [digit - ord("0") for digit in reversed(digits)]
    doubled = [sum(divmod(2 * number, 10)) for number in numbers[1::2]]
    return (sum(numbers[::2]) + sum(doubled)) % 10 == 0


_TARGET = ("target", string)

CONVERTERS = {
    "Concat": converter(_concat, ("vals", any_value), ("delimiter", string)),
    "HasPrefix": converter(bytes.startswith, _TARGET, ("prefix", string)),
    "HasSuffix": converter(bytes.endswith, _TARGET, ("suffix", string)),
    "IsMatch": Converter(
        _is_match, (Parameter("target", string_like), Parameter("pattern", string)), check=_check_pattern
    ),
    "IsInCIDR": Converter(_is_in_cidr, (Parameter(*_TARGET), Parameter("networks", a_list)), check=_check_networks),
    "IsValidLuhn": converter(_is_valid_luhn, ("target", string_like)),
    "Split": converter(_split, _TARGET, ("delimiter", string)),
    "Substring": Converter(
        _substring,
        (
            Parameter(*_TARGET),
            Parameter("start", integer),
            Parameter("length", integer),
            Parameter("utf8_safe", boolean, optional=True),
        ),
    ),
    "ToLowerCase": converter(lower, _TARGET),
    "ToUpperCase": converter(upper, _TARGET),
    "Trim": Converter(_trim, (Parameter(*_TARGET), Parameter("replacement", string, optional=True))),
    "TrimPrefix": converter(bytes.removeprefix, _TARGET, ("prefix", string)),
    "TrimSuffix": converter(bytes.removesuffix, _TARGET, ("suffix", string)),
}

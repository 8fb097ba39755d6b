"""Decides over one attribute, or one text: left, removed or masked.

The order of the checks is the Collector's (processor/redactionprocessor/processor.go, `processAttrs`): ignored keys, keys that are
not allowed, allowed values, blocked keys, blocked values.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.enrichment.messages import may_quote, without_client_text
from milvus_otel_processor.redaction.patterns import compiled
from milvus_otel_processor.remembering import remember
from milvus_otel_processor.sampling.text import decoded, valid

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.redaction.settings import HashFunction, RedactionSettings
    from milvus_otel_processor.spans.schema import AnyValue

IGNORED, REDACTED, ALLOWED, MASKED = "ignored", "redacted", "allowed", "masked"
"""What became of an attribute, in the Collector's words: `redacted` is removed."""

_MASK = b"****"
_REMEMBERED = 4096
_OF_KEYS = "looked at"
_SUMMARY = "redaction."
_SUMMARIES = frozenset(
    f"{_SUMMARY}{name}".encode()
    for name in ("redacted.keys", "redacted.count", "masked.keys", "masked.count", "ignored.count")
)
"""Keys that are allowed whatever the settings say: a redaction processor before this one may have written them."""
_LEAST_PLAIN, _GREATEST_PLAIN = 1e-6, 1e21
"""Doubles beyond are written with an exponent, as the Collector's `AsString` does."""


class Redactor:
    """Redacts lists of attributes, and texts; `counts` counts the attributes that were removed and masked."""

    def __init__(self, settings: RedactionSettings, counts: dict[str, int]) -> None:
        self._settings = settings
        self._counts = counts
        self._ignored_keys = frozenset(key.encode() for key in settings.ignored_keys)
        self._allowed_keys = frozenset(key.encode() for key in settings.allowed_keys) | _SUMMARIES
        self._ignored = [compiled(pattern) for pattern in settings.ignored_key_patterns]
        self._blocked_keys = [compiled(pattern) for pattern in settings.blocked_key_patterns]
        self._allowed = [compiled(pattern) for pattern in settings.allowed_values]
        self._blocked = [compiled(pattern) for pattern in settings.blocked_values]
        self.mask = _masking(settings.hash_function, settings.hmac_key.get_secret_value())
        """Returns what stands in the place of a text."""
        self._may_be_blocked = _any_of(settings.blocked_values)
        self.of_key = remember(_REMEMBERED)(self._look_at_key)
        """Returns what becomes of an attribute by its key: IGNORED, REDACTED, MASKED, or something else where its value decides."""
        self._masked = remember(_REMEMBERED)(self._look_at_text)

    def attributes(self, pairs: Any) -> None:
        """Redact a protobuf list of KeyValue, in place."""
        done: defaultdict[str, list[bytes]] = defaultdict(list)
        kept = []
        for pair in pairs:
            what = self._attribute(pair.key, pair.value)
            if what is not None:
                done[what].append(pair.key)
            if what != REDACTED:
                kept.append(pair)
        if len(kept) < len(pairs):
            kept = [pair.SerializeToString() for pair in kept]
            del pairs[:]
            for encoded in kept:
                pairs.add().MergeFromString(encoded)
        for what in (REDACTED, MASKED):
            self._counts[what] += len(done[what])
        self._summarize(pairs, done)

    def text(self, text: bytes) -> bytes:
        """Return a text of a span that is no attribute, such as its status's message, without what is blocked."""
        text = valid(text)
        if any(pattern.matches(text) for pattern in self._allowed):
            return text
        masked = self._masked(text)
        self._counts[MASKED] += masked != text
        return masked

    def as_text(self, value: AnyValue) -> bytes:
        """Return a value as a text, as the Collector's `AsString` does."""
        return _text(value)

    def _attribute(self, key: bytes, value: AnyValue) -> str | None:
        of_key = self.of_key(key)
        if of_key in {IGNORED, REDACTED}:
            return of_key
        looked_at = self._looked_at(value)
        if any(pattern.matches(looked_at) for pattern in self._allowed):
            return ALLOWED
        if of_key == MASKED:
            value.string_value = self.mask(looked_at)
            return MASKED
        # A pattern that matches the empty text matches what is not looked at.
        if not looked_at and (masked := self._masked(b"")):
            value.string_value = masked
            return MASKED
        return MASKED if self._value(value) else None

    def _looked_at(self, value: AnyValue) -> bytes:
        """Return what the Collector sees of a value: nothing of one that is no text, unless all types are looked at."""
        return _text(value) if self._settings.redact_all_types or value.WhichOneof("value") == "string_value" else b""

    def _look_at_key(self, key: bytes) -> str:
        text = valid(key)
        if key in self._ignored_keys or any(pattern.matches(text) for pattern in self._ignored):
            return IGNORED
        if not self._settings.allow_all_keys and key not in self._allowed_keys:
            return REDACTED
        return MASKED if any(pattern.matches(text) for pattern in self._blocked_keys) else _OF_KEYS

    def _value(self, value: AnyValue) -> bool:
        """Mask what is blocked in a value, and in the values inside it; tell whether anything was."""
        kind = value.WhichOneof("value")
        if kind == "array_value":
            return sum(map(self._value, value.array_value.values)) > 0
        if kind == "kvlist_value":
            return sum(self._inside(pair.key, pair.value) for pair in value.kvlist_value.values) > 0
        if kind in {"string_value", "bytes_value"} or (kind is not None and self._settings.redact_all_types):
            text = _text(value)
            masked = self._masked(text)
            if masked != text:
                value.string_value = masked
                return True
        return False

    def _inside(self, key: bytes, value: AnyValue) -> bool:
        """Do so with an entry of a mapping, whose key may be blocked, too."""
        text = valid(key)
        if any(pattern.matches(text) for pattern in self._blocked_keys):
            value.string_value = self.mask(self._looked_at(value))
            return True
        return self._value(value)

    def _look_at_text(self, text: bytes) -> bytes:
        if self._may_be_blocked(text):
            for pattern in self._blocked:
                text = pattern.replaced(self.mask, text)
        if self._settings.milvus_messages and may_quote(text):
            said = decoded(text)
            without = without_client_text(said)
            text = without.encode() if without != said else text
        return text

    def _summarize(self, pairs: Any, done: dict[str, list[bytes]]) -> None:
        if self._settings.summary == "silent":
            return
        for what, keys in sorted(done.items()):
            if not keys:
                continue
            if self._settings.summary == "debug" and what != IGNORED:
                names = _found(pairs, f"{_SUMMARY}{what}.keys")
                before = names.string_value.split(b",") if names.string_value else []
                names.string_value = b",".join(sorted([*map(valid, keys), *before]))
            count = _found(pairs, f"{_SUMMARY}{what}.count")
            count.int_value += len(keys)


def _any_of(patterns: list[str]) -> Callable[[bytes], bool]:
    """Return what tells whether any of the patterns matches: one search says of nearly all texts that none does."""
    if not patterns:
        return lambda _: False
    try:
        return compiled("|".join(f"(?:{one})" for one in patterns)).matches
    except ValueError:  # together they are too large for RE2
        return lambda _: True


def _found(pairs: Any, key: str) -> AnyValue:
    """Return the value of this key, which is added where it is missing."""
    encoded = key.encode()
    pair = next((pair for pair in pairs if pair.key == encoded), None)
    if pair is None:
        pair = pairs.add()
        pair.key = encoded
    value: AnyValue = pair.value
    return value


def _text(value: AnyValue) -> bytes:
    """Return a value as a text, as the Collector's `AsString` does as far as what is searched for is concerned."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return valid(value.string_value)
    if kind == "bytes_value":
        return valid(value.bytes_value)
    if kind == "double_value" and math.isfinite(value.double_value):
        return _double(value.double_value).encode()
    return json.dumps(_plain(value), ensure_ascii=False).encode() if kind is not None else b""


def _double(value: float) -> str:
    if value and not _LEAST_PLAIN <= abs(value) < _GREATEST_PLAIN:
        return repr(value).replace("e-0", "e-")
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {decoded(pair.key): _plain(pair.value) for pair in value.kvlist_value.values}
    if kind in {"string_value", "bytes_value"}:
        return decoded(getattr(value, str(kind)))
    return getattr(value, kind) if kind is not None else None


def _masking(function: HashFunction, key: str) -> Callable[[bytes], bytes]:
    """Return what makes the text that stands in the place of another."""
    if not function:
        return lambda _: _MASK
    if function.startswith("hmac-"):
        digest = function.removeprefix("hmac-")
        return lambda text: hmac.new(key.encode(), text, digest).hexdigest().encode()
    name = "sha3_256" if function == "sha3" else function
    return lambda text: hashlib.new(name, text, usedforsecurity=False).hexdigest().encode()

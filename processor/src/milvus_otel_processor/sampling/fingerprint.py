"""A short text that tells whether two processors decide by the same rules."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

_DIGITS = 16


def fingerprint(rules: TailSamplingSettings) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the rules as they were understood.

    Comments, the order of keys, and how a value was written make no difference; the order of policies does.
    """
    text = json.dumps(rules.model_dump(by_alias=True), sort_keys=True, default=_plain)
    return sha256(text.encode()).hexdigest()[:_DIGITS]


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)

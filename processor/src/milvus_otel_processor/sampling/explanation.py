"""Why a policy decided as it did, in words: what `milvus-otel explain` shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milvus_otel_processor.sampling.decision import Decision, Verdict
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.schema import AnyValue

_LONGEST_VALUE = 60
_MOST_VALUES = 3
_SERVICE = b"service.name"
_TYPES = {
    "string_value": "a string",
    "bool_value": "a boolean",
    "int_value": "a whole number",
    "double_value": "a number",
    "array_value": "a list",
    "kvlist_value": "a map",
    "bytes_value": "bytes",
    None: "empty",
}


class Explanation(NamedTuple):
    """What one policy answered about one trace, and why."""

    decision: Decision | None
    """None where it was not asked."""
    reason: str
    inside: tuple[tuple[str, Explanation], ...] = ()
    """Of the policies inside of it, each behind its name or type."""
    failed: bool = False
    """Whether it had no answer, which counts as not sampled."""


class PolicyExplanation(NamedTuple):
    """An explanation of a policy directly under `policies`."""

    name: str
    type: str
    mode: str | None
    explanation: Explanation


class TraceExplanation(NamedTuple):
    """The verdict over one trace, and what each policy said, in the order of the configuration."""

    verdict: Verdict
    policies: tuple[PolicyExplanation, ...]


def span_words(trace: Trace, index: int) -> str:
    """Return which span it is: ``span `Proxy-Search` (standalone)``."""
    return f"span `{_decoded(trace.heads[index].name)}` ({service(trace.groups[index])})"


def service(group: Group) -> str:
    """Return the name of the service that a resource is of."""
    value = group.resource_attributes.get(_SERVICE)
    return _decoded(value.string_value) if value is not None else "no service.name"


def value_words(value: AnyValue) -> str:
    """Return a value as it is written in JSON, cut when it is long; of lists, maps and bytes their type."""
    plain: object
    match value.WhichOneof("value"):
        case "string_value":
            plain = _decoded(value.string_value)
        case "bool_value" | "int_value" | "double_value" as kind:
            plain = getattr(value, kind)
        case _:
            return type_words(value)
    text = json.dumps(plain, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def type_words(value: AnyValue) -> str:
    """Return what type a value is of: `a boolean`."""
    return _TYPES[value.WhichOneof("value")]


def listed(words: Iterable[str]) -> str:
    """Return the first different ones of these, and how many more there are."""
    different = list(dict.fromkeys(words))
    more = len(different) - _MOST_VALUES
    return ", ".join(different[:_MOST_VALUES]) + (f" and {more} more" if more > 0 else "")


def amount(number: int, what: str) -> str:
    """Return a number of things: `1 span`, `7 spans`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")

"""An attribute of resources and spans, asked for by its key: what the policies on attributes have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from milvus_otel_processor.remembering import remember
from milvus_otel_processor.sampling.decision import answers
from milvus_otel_processor.sampling.explanation import listed, service, span_words, type_words, value_words
from milvus_otel_processor.sampling.hints.needles import TELLING, Needles
from milvus_otel_processor.sampling.hints.reads import reads_of
from milvus_otel_processor.sampling.policies.base import Evaluator
from milvus_otel_processor.spans.schema import AnyValueView, DecodeError
from milvus_otel_processor.spans.wanted import Wanted, WantedValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.sampling.decision import Decision
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.schema import AnyValue

_ANSWERS_REMEMBERED = 4096
_COMBINATIONS_REMEMBERED = 1024
_LONGEST_REMEMBERED = 8192  # bytes of the resources and scopes of one combination


class Attribute:
    """Tells whether a trace has an attribute with a value that matches, on a resource or on a span."""

    def __init__(
        self, key: str, matches_resource: Callable[[AnyValue], bool], matches_span: Callable[[AnyValue], bool]
    ) -> None:
        self.key = key.encode()
        self._matches_resource = matches_resource
        self._matches_span = matches_span
        self._on_a_resource: dict[frozenset[Group], bool] = {}
        self.may_match = remember(_ANSWERS_REMEMBERED)(self._matches_encoded)
        """Tells of an encoded value of a span whether it matches, or may; False is a sure no."""

    def matches(self, trace: Trace) -> bool:
        """Tell whether a value matches. Raises DecodeError at a malformed span."""
        groups = trace.distinct_groups
        on_a_resource = self._on_a_resource.get(groups)
        if on_a_resource is None:
            on_a_resource = self._ask_resources(groups)
        if on_a_resource:
            return True
        candidates = trace.values_behind(self.key)
        if candidates is not None and not any(map(self.may_match, candidates)):
            return False
        return any(map(self.may_match, trace.encoded_values(self.key)))

    def _ask_resources(self, groups: frozenset[Group]) -> bool:
        answer = any(map(self.matches_group, groups))
        if sum(group.size for group in groups) > _LONGEST_REMEMBERED:  # what is remembered holds the groups
            return answer
        if len(self._on_a_resource) >= _COMBINATIONS_REMEMBERED:
            self._on_a_resource.clear()
        self._on_a_resource[groups] = answer
        return answer

    def matches_group(self, group: Group) -> bool:
        """Tell whether the resource's value matches."""
        value = group.resource_attributes.get(self.key)
        return value is not None and self._matches_resource(value)

    def _matches_encoded(self, encoded: bytes) -> bool:
        try:
            return self._matches_span(AnyValueView.FromString(encoded))
        except DecodeError:
            return True  # these bytes are something else than a value; the spans themselves have to be asked


_NAME = "a span's name is no attribute: the policy span_name asks for it"
_FIELD = "that is a field of the span and no attribute: ottl_condition asks for it"
_FIELDS = {
    **dict.fromkeys(("name", "span.name", "span_name"), _NAME),
    **dict.fromkeys(("kind", "span.kind", "trace_id", "span_id", "parent_span_id", "start_time", "end_time"), _FIELD),
    **dict.fromkeys(
        ("status", "status.code", "status_code"), "a span's status is no attribute: status_code asks for it"
    ),
    **dict.fromkeys(("duration", "latency"), "a duration is no attribute: latency asks for that of the trace"),
}
"""What to say where a rule asks for what spans have, and not as an attribute."""


class AttributeEvaluator(Evaluator):
    """Samples traces with an attribute that matches, or with `invert_match` those without.

    `sets` is what a span's bytes hold where the attribute matches, see `Needles`: the key, if nothing more is known.
    """

    def __init__(self, key: str, *, invert_match: bool, sets: tuple[frozenset[bytes], ...] | None = None) -> None:
        self._attribute = Attribute(key, self.matches_resource, self.matches_span)
        self.reads = reads_of(key)
        self.lasting = not invert_match
        self._found, self._not_found = answers(invert_match=invert_match)
        by_key = frozenset((self._attribute.key,))
        needles = Needles(sets or (by_key,), self._attribute.matches_group)
        wanted = None
        if key and (needles.sets[0] == by_key or min(map(len, needles.sets[0])) < TELLING):
            wanted = Wanted(values=(self._wanted_value(),), of_group=self._attribute.matches_group)
        if not invert_match:
            self.group_matches, self.needles, self.wanted = self._attribute.matches_group, needles, wanted
        elif wanted is not None:
            self.unless = wanted
        elif all(needles.sets[0]):
            self.unless = Wanted(texts=needles.sets[0], of_group=self._attribute.matches_group)

    def _wanted_value(self) -> WantedValue:
        return WantedValue(self._attribute.key, self._attribute.may_match)

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a value matches, or with `invert_match` where none does."""
        return self._found if self._attribute.matches(trace) else self._not_found

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason: who has the attribute, and with which value or type."""
        key = self._attribute.key
        name = key.decode("utf-8", "replace")
        found: list[tuple[str, AnyValue]] = []
        for group in trace.distinct_groups:
            value = group.resource_attributes.get(key)
            if value is not None:
                found.append((f"the resource of {service(group)}", value))
                if self.matches_resource(value):
                    return f"the resource of {service(group)} has `{name}`: {value_words(value)}"
        for index in trace.holding(key):
            value = trace.attribute(index, key)
            if value is not None:
                found.append((span_words(trace, index), value))
                if self.matches_span(value):
                    return f"{span_words(trace, index)} has `{name}`: {value_words(value)}"
        if not found:
            hint = _FIELDS.get(name)
            return f"no span or resource has `{name}`" + (f"; {hint}" if hint else "")
        if not any(value.WhichOneof("value") in self.kinds for _, value in found):
            return f"`{name}` is there, but {listed(type_words(value) for _, value in found)}"
        return f"`{name}` has other values: {listed(value_words(value) for _, value in found)}"

    kinds: tuple[str, ...] = ()
    """The types of values that can match, as OTLP's fields."""

    @abstractmethod
    def matches_span(self, value: AnyValue) -> bool:
        """Tell whether a span's value matches."""

    def matches_resource(self, value: AnyValue) -> bool:
        """Tell whether a resource's value matches; as a span's would, if nothing else is said."""
        return self.matches_span(value)

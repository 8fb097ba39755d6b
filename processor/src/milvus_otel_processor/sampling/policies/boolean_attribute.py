"""`boolean_attribute`: traces in which an attribute is true, or is false."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.needles import Needles
from milvus_otel_processor.sampling.policies.attributes import Attribute, may_be_enriched
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from milvus_otel_processor.otlp.schema import AnyValue
    from milvus_otel_processor.trace import Trace


class BooleanAttributeSettings(Settings):
    """Settings of `boolean_attribute`."""

    key: str = Field(description="Key of the attribute, of a resource or a span.")
    value: bool = Field(default=False, description="The value that matches.")
    invert_match: bool = Field(
        default=False, description="Sample unless a value matches; traces without the attribute are then sampled."
    )


class BooleanAttribute(Evaluator):
    """Samples traces with an attribute, of a resource or a span, that has the value."""

    def __init__(self, settings: BooleanAttributeSettings) -> None:
        self._value = settings.value
        self._attribute = Attribute(settings.key, self._matches, self._matches)
        self.reads_enrichment = may_be_enriched(settings.key)
        self.lasting = not settings.invert_match
        self._found, self._not_found = (
            (Decision.NOT_SAMPLED, Decision.SAMPLED)
            if settings.invert_match
            else (Decision.SAMPLED, Decision.NOT_SAMPLED)
        )
        if not settings.invert_match:
            self.needles = Needles((frozenset((self._attribute.key,)),), self._attribute.matches_group)

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where an attribute has the value, or with `invert_match` where none has.

        An attribute that is not a boolean counts as false, as in the Collector.
        """
        return self._found if self._attribute.matches(trace) else self._not_found

    def _matches(self, value: AnyValue) -> bool:
        return value.bool_value == self._value


class BooleanAttributePolicy(PolicySettings):
    """Traces by an attribute that is true or false."""

    type: Literal["boolean_attribute"]
    boolean_attribute: BooleanAttributeSettings

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return BooleanAttribute(self.boolean_attribute)

"""`numeric_attribute`: traces in which an attribute is a number within bounds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.needles import Needles
from milvus_otel_processor.sampling.policies.attributes import Attribute, may_be_enriched
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from milvus_otel_processor.otlp.schema import AnyValue
    from milvus_otel_processor.trace import Trace


class NumericAttributeSettings(Settings):
    """Settings of `numeric_attribute`."""

    key: str = Field(description="Key of the attribute, of a resource or a span.")
    min_value: int | float | None = Field(default=None, description="The least value that matches; 0 means 0.")
    max_value: int | float | None = Field(default=None, description="The greatest value that matches; 0 means 0.")
    invert_match: bool = Field(
        default=False,
        description="Sample unless a value is within the bounds; traces without the attribute are sampled.",
    )

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.min_value is None and self.max_value is None:
            raise ValueError("expected min_value or max_value, or both")
        return self


class NumericAttribute(Evaluator):
    """Samples traces with an attribute, of a resource or a span, that is a number within the bounds.

    Differs from the Collector's policy, which reads every double as 0 and takes a bound of 0 for none: here a double is
    compared with its value, and 0 bounds. An attribute that is no number counts as 0 in both.
    """

    def __init__(self, settings: NumericAttributeSettings) -> None:
        self._least = -math.inf if settings.min_value is None else settings.min_value
        self._greatest = math.inf if settings.max_value is None else settings.max_value
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
        """Return SAMPLED where a value is within the bounds, both included, or with `invert_match` where none is."""
        return self._found if self._attribute.matches(trace) else self._not_found

    def _matches(self, value: AnyValue) -> bool:
        number = value.double_value if value.WhichOneof("value") == "double_value" else value.int_value
        return self._least <= number <= self._greatest


class NumericAttributePolicy(PolicySettings):
    """Traces by an attribute that is a number."""

    type: Literal["numeric_attribute"]
    numeric_attribute: NumericAttributeSettings

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return NumericAttribute(self.numeric_attribute)

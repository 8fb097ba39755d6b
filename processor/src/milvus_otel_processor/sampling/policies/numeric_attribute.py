"""`numeric_attribute`: traces in which an attribute is a number within bounds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from milvus_otel_processor.sampling.hints.wanted import of_number
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.attributes import AttributeEvaluator
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, AskedAttribute, Clock, Evaluator, PolicySettings
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.schema import AnyValue
    from milvus_otel_processor.spans.wanted import WantedValue


class NumericAttributeSettings(Settings):
    """Settings of `numeric_attribute`."""

    key: str = Field(description="Key of the attribute, of a resource or a span.")
    min_value: int | float | None = Field(default=None, description="The least value that matches. 0 is a bound too.")
    max_value: int | float | None = Field(
        default=None, description="The greatest value that matches. 0 is a bound too."
    )
    invert_match: bool = Field(
        default=False,
        description="Sample traces in which no value is within the bounds, also those without the attribute.",
    )

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.min_value is None and self.max_value is None:
            raise ValueError("expected min_value or max_value, or both")
        return self


class NumericAttribute(AttributeEvaluator):
    """Samples traces with an attribute, of a resource or a span, that is a number within the bounds.

    Differs from the Collector's policy, which reads every double as 0 and takes a bound of 0 for none: here a double is
    compared with its value, and 0 bounds. An attribute that is no number counts as 0 in both.
    """

    kinds = ("int_value", "double_value")

    def __init__(self, settings: NumericAttributeSettings) -> None:
        self._least = -math.inf if settings.min_value is None else settings.min_value
        self._greatest = math.inf if settings.max_value is None else settings.max_value
        super().__init__(settings.key, invert_match=settings.invert_match)

    def _wanted_value(self) -> WantedValue:
        return of_number(self._attribute.key, self._least, self._greatest, self._attribute.may_match)

    def matches_span(self, value: AnyValue) -> bool:
        """Tell whether the value is within the bounds, both included."""
        number = value.double_value if value.WhichOneof("value") == "double_value" else value.int_value
        return self._least <= number <= self._greatest


class NumericAttributePolicy(PolicySettings):
    """Traces by an attribute that is a number."""

    type: Literal["numeric_attribute"]
    numeric_attribute: NumericAttributeSettings

    def remarks(self) -> Iterator[str]:
        """Yield bounds between which no number is."""
        numeric = self.numeric_attribute
        yield from remarks.of_key(numeric.key, "numeric_attribute.key")
        if self._is_empty():
            amount = "every trace is" if numeric.invert_match else "no trace is"
            yield (
                f"numeric_attribute.max_value: {numeric.max_value} is below min_value, {numeric.min_value}, so that no number "
                f"matches and {amount} sampled"
            )

    def _is_empty(self) -> bool:
        least, greatest = self.numeric_attribute.min_value, self.numeric_attribute.max_value
        return least is not None and greatest is not None and greatest < least

    def constant(self) -> bool | None:
        """Return what follows where no number can match."""
        return self.numeric_attribute.invert_match if self._is_empty() or not self.numeric_attribute.key else None

    def asked(self) -> Iterator[AskedAttribute]:
        """Yield the attribute."""
        yield AskedAttribute("numeric_attribute.key", self.numeric_attribute.key, "number")

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return NumericAttribute(self.numeric_attribute)

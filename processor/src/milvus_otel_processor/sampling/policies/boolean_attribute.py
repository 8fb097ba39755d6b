"""`boolean_attribute`: traces in which an attribute is true, or is false."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.attributes import AttributeEvaluator
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, AskedAttribute, Clock, Evaluator, PolicySettings
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.schema import AnyValue


class BooleanAttributeSettings(Settings):
    """Settings of `boolean_attribute`."""

    key: str = Field(description="Key of the attribute, of a resource or a span.")
    value: bool = Field(default=False, description="The value that matches.")
    invert_match: bool = Field(
        default=False, description="Sample traces in which no value matches, also those without the attribute."
    )


class BooleanAttribute(AttributeEvaluator):
    """Samples traces with an attribute, of a resource or a span, that has the value.

    An attribute that is not a boolean counts as false, as in the Collector.
    """

    kinds = ("bool_value",)

    def __init__(self, settings: BooleanAttributeSettings) -> None:
        self._value = settings.value
        super().__init__(settings.key, invert_match=settings.invert_match)

    def matches_span(self, value: AnyValue) -> bool:
        """Tell whether the value is the one."""
        return value.bool_value == self._value


class BooleanAttributePolicy(PolicySettings):
    """Traces by an attribute that is true or false."""

    type: Literal["boolean_attribute"]
    boolean_attribute: BooleanAttributeSettings

    def remarks(self) -> Iterator[str]:
        """Yield a key that no attribute has."""
        yield from remarks.of_key(self.boolean_attribute.key, "boolean_attribute.key")

    def constant(self) -> bool | None:
        """Return what follows where no attribute can match."""
        return None if self.boolean_attribute.key else self.boolean_attribute.invert_match

    def asked(self) -> Iterator[AskedAttribute]:
        """Yield the attribute."""
        yield AskedAttribute("boolean_attribute.key", self.boolean_attribute.key, "boolean")

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return BooleanAttribute(self.boolean_attribute)

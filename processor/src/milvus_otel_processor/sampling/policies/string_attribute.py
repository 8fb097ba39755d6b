"""`string_attribute`: traces in which an attribute has one of the given texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from milvus_otel_processor.sampling.hints.needles import of_values
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.attributes import AttributeEvaluator
from milvus_otel_processor.sampling.policies.base import (
    SYSTEM_CLOCK,
    AskedAttribute,
    AskedCollection,
    Clock,
    Evaluator,
    PolicySettings,
)
from milvus_otel_processor.sampling.policies.matching import check_expressions, matcher
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.schema import AnyValue

DEFAULT_CACHE_SIZE = 128
"""How many answers of regular expressions are remembered; the Collector's default."""


class StringAttributeSettings(Settings):
    """Settings of `string_attribute`."""

    key: str = Field(description="Key of the attribute, of a resource or a span.")
    values: list[str] = Field(default=[], description="Texts, or regular expressions. One of them has to match.")
    enabled_regex_matching: bool = Field(
        default=False, description="`values` are regular expressions. A match anywhere in the attribute is enough."
    )
    cache_max_size: int = Field(
        default=0, description="How many answers of the regular expressions to remember; 0 means 128."
    )
    invert_match: bool = Field(
        default=False, description="Sample traces in which no value matches, also those without the attribute."
    )

    @model_validator(mode="after")
    def _expressions_compile(self) -> Self:
        if self.enabled_regex_matching:
            check_expressions(self.values)
        return self


class StringAttribute(AttributeEvaluator):
    """Samples traces with an attribute, of a resource or a span, whose text matches.

    An attribute that is not a string has an empty text; an empty text never matches on a span, but may on a resource, as in the
    Collector.
    """

    kinds = ("string_value",)

    def __init__(self, settings: StringAttributeSettings) -> None:
        self._matches = matcher(
            settings.values,
            regex=settings.enabled_regex_matching,
            cache_max_size=settings.cache_max_size if settings.cache_max_size > 0 else DEFAULT_CACHE_SIZE,
        )
        sets = of_values(settings.key, settings.values, regex=settings.enabled_regex_matching)
        super().__init__(settings.key, invert_match=settings.invert_match, sets=sets)

    def matches_resource(self, value: AnyValue) -> bool:
        """Tell whether the text matches."""
        return self._matches(value.string_value)

    def matches_span(self, value: AnyValue) -> bool:
        """Tell whether it has a text, and that matches."""
        text = value.string_value
        return bool(text) and self._matches(text)


class StringAttributePolicy(PolicySettings):
    """Traces by an attribute that is a text."""

    type: Literal["string_attribute"]
    string_attribute: StringAttributeSettings

    def remarks(self) -> Iterator[str]:
        """Yield texts that match nothing, and settings that mean nothing."""
        string = self.string_attribute
        regex = string.enabled_regex_matching
        yield from remarks.of_key(string.key, "string_attribute.key")
        yield from remarks.of_texts(string.values, "string_attribute.values", regex=regex)
        if string.cache_max_size and not regex:
            yield "string_attribute.cache_max_size: means nothing without enabled_regex_matching: true"

    def constant(self) -> bool | None:
        """Return what follows where no text can match."""
        string = self.string_attribute
        can_match = string.key and (string.values if string.enabled_regex_matching else any(string.values))
        return None if can_match else string.invert_match

    def asked(self) -> Iterator[AskedAttribute]:
        """Yield the attribute."""
        yield AskedAttribute("string_attribute.key", self.string_attribute.key, "string")

    def asked_collections(self) -> Iterator[AskedCollection]:
        """Yield the values, where the attribute is the name of a collection and they are no expressions."""
        string = self.string_attribute
        if string.key == "db.collection.name" and not string.enabled_regex_matching:
            for value in filter(None, string.values):
                yield AskedCollection(value)

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return StringAttribute(self.string_attribute)

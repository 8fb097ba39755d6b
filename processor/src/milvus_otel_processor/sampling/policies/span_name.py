"""`span_name`: traces with a span of one of the given names. A policy of ours: the Collector needs OTTL for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from milvus_otel_processor.sampling.decision import Decision, answers
from milvus_otel_processor.sampling.explanation import listed
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.matching import check_expressions, matcher
from milvus_otel_processor.settings import Settings
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace

_CACHE_SIZE = 4096  # of answers: names of spans are few, but some hold a collection's id


_ANY = frozenset(("^", ".*", "^.*", "^.*$"))
"""Expressions that match every name."""


class SpanNameSettings(Settings):
    """Settings of `span_name`."""

    names: list[str] = Field(
        min_length=1, description="Names of spans, or regular expressions. One of them has to match."
    )
    except_names: list[str] = Field(
        default=[],
        description="Names of spans, or regular expressions, that do not count although one of `names` matches.",
    )
    enabled_regex_matching: bool = Field(
        default=False,
        description="`names` and `except_names` are regular expressions. A match anywhere in the name is enough.",
    )
    invert_match: bool = Field(default=False, description="Sample traces in which no name matches.")
    root_only: bool = Field(default=False, description="Look only at spans without a parent.")

    @model_validator(mode="after")
    def _expressions_compile(self) -> Self:
        if self.enabled_regex_matching:
            check_expressions([*self.names, *self.except_names])
        return self


class SpanName(Evaluator):
    """Samples traces in which the name of a span, or of a root span alone, matches."""

    reads = Reads.NOTHING

    def __init__(self, settings: SpanNameSettings) -> None:
        self.lasting = not settings.invert_match
        regex = settings.enabled_regex_matching
        self._names = matcher(settings.names, regex=regex, cache_max_size=_CACHE_SIZE)
        self._except = matcher(settings.except_names, regex=regex, cache_max_size=_CACHE_SIZE)
        self.matches = self._matches if settings.except_names else self._names
        self._root_only = settings.root_only
        self._found, self._not_found = answers(invert_match=settings.invert_match)
        if (
            settings.root_only
            and settings.invert_match
            and regex
            and _ANY & {*settings.names}
            and not settings.except_names
        ):
            self.wanted = Wanted(rootless=True)
        # Such a name settles the answer, whatever else arrives.
        self.root_matches = self.matches if settings.root_only and not settings.invert_match else None

    def _matches(self, name: bytes) -> bool:
        return self._names(name) and not self._except(name)

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a name matches, or with `invert_match` where none does."""
        for head in trace.roots if self._root_only else trace.heads:
            if self.matches(head.name):
                return self._found
        return self._not_found

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason."""
        which = "root span" if self._root_only else "span"
        heads = trace.roots if self._root_only else trace.heads
        names = [head.name.decode("utf-8", "replace") for head in heads]
        for head, name in zip(heads, names, strict=True):
            if self.matches(head.name):
                return f"the {which} `{name}` matches"
        return f"no {which} matches" + (f": {listed(names)}" if names else f", because there is no {which}")


class SpanNamePolicy(PolicySettings):
    """Traces by the name of their spans."""

    type: Literal["span_name"]
    span_name: SpanNameSettings

    def remarks(self) -> Iterator[str]:
        """Yield names that match nothing."""
        yield from remarks.of_texts(
            self.span_name.names, "span_name.names", regex=self.span_name.enabled_regex_matching
        )
        if self.span_name.except_names:
            yield from remarks.of_texts(
                self.span_name.except_names, "span_name.except_names", regex=self.span_name.enabled_regex_matching
            )

    def constant(self) -> bool | None:
        """Return what follows where no name can match."""
        can_match = self.span_name.enabled_regex_matching or any(self.span_name.names)
        return None if can_match else self.span_name.invert_match

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> SpanName:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return SpanName(self.span_name)

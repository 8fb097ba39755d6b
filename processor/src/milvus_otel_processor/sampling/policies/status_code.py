"""`status_code`: traces with a span of one of the given statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import span_words
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.settings import Settings
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace

_CODES = {"UNSET": 0, "OK": 1, "ERROR": 2}


class StatusCodeSettings(Settings):
    """Settings of `status_code`."""

    status_codes: list[Literal["OK", "ERROR", "UNSET"]] = Field(
        min_length=1, description="Statuses. A trace is sampled when one of its spans has one of them."
    )


class StatusCode(Evaluator):
    """Samples traces in which a span has one of the statuses."""

    reads = Reads.NOTHING
    always_answers = True

    def __init__(self, settings: StatusCodeSettings) -> None:
        self.lasting = "UNSET" not in settings.status_codes  # what is known later may make it an ERROR
        self._codes = frozenset(_CODES[code] for code in settings.status_codes)
        self.wanted = Wanted(statuses=self._codes)

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a span has one of the statuses; a span without a status counts as UNSET."""
        return Decision.SAMPLED if trace.has_status(self._codes) else Decision.NOT_SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason."""
        wanted = " or ".join(name for name, code in _CODES.items() if code in self._codes)
        for index, head in enumerate(trace.heads):
            if head.status.code in self._codes:
                name = next(name for name, code in _CODES.items() if code == head.status.code)
                return f"{span_words(trace, index)} has {name}"
        return f"no span has {wanted}"


class StatusCodePolicy(PolicySettings):
    """Traces by the status of their spans."""

    type: Literal["status_code"]
    status_code: StatusCodeSettings

    def remarks(self) -> Iterator[str]:
        """Yield statuses that are there twice, or that are all that there are."""
        codes = self.status_code.status_codes
        yield from remarks.of_doubles(codes, "status_code.status_codes")
        if self.constant():
            yield "status_code.status_codes: are all that there are, so that every trace is sampled"

    def constant(self) -> bool | None:
        """Return True where every status is named."""
        return True if len(set(self.status_code.status_codes)) == len(_CODES) else None

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return StatusCode(self.status_code)

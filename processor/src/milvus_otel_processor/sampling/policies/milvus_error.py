"""`milvus_error`: traces with a Milvus request that failed. A policy of ours: no span of Milvus has an error status then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import listed
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.milvus_spans import ERROR_TYPE, STATUS_CODE, milvus_spans
from milvus_otel_processor.settings import Settings
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace

_SUCCESS = b"0"


class MilvusErrorSettings(Settings):
    """Settings of `milvus_error`."""

    codes: list[int] = Field(
        default=[],
        description="Error codes of Milvus, such as 100: there is no such collection. Without any, every failed request matches.",
    )


class MilvusError(Evaluator):
    """Samples traces with a Milvus request that failed with one of the codes, or at all where none is given.

    Looks at `db.response.status_code`, and without codes at `error.type` too, of spans with `db.system.name: milvus`, as the
    `milvus` processor writes them from the access log and this project's client from the answer.
    """

    reads = Reads.FACTS

    def __init__(self, settings: MilvusErrorSettings) -> None:
        self._codes = frozenset(b"%d" % code for code in settings.codes)
        self.wanted = Wanted(texts=frozenset((STATUS_CODE, ERROR_TYPE)))

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a request failed so."""
        for attributes in milvus_spans(trace, STATUS_CODE):
            code = attributes[STATUS_CODE]
            if code in self._codes if self._codes else code != _SUCCESS:
                return Decision.SAMPLED
        if not self._codes and any(attributes[ERROR_TYPE] for attributes in milvus_spans(trace, ERROR_TYPE)):
            return Decision.SAMPLED
        return Decision.NOT_SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:
        """Return the reason."""
        codes = [span[STATUS_CODE].decode("utf-8", "replace") for span in milvus_spans(trace, STATUS_CODE)]
        errors = [span[ERROR_TYPE].decode("utf-8", "replace") for span in milvus_spans(trace, ERROR_TYPE)]
        found = [*(code for code in codes if code != _SUCCESS.decode()), *filter(None, errors)]
        if decision is Decision.SAMPLED:
            return f"a Milvus request failed with {listed(found)}"
        return f"Milvus requests failed with other codes: {listed(found)}" if found else "no Milvus request failed"


class MilvusErrorPolicy(PolicySettings):
    """Traces by the error of a Milvus request in them."""

    type: Literal["milvus_error"]
    milvus_error: MilvusErrorSettings = Field(default=MilvusErrorSettings())

    def remarks(self) -> Iterator[str]:
        """Yield codes that no failed request has."""
        codes = self.milvus_error.codes
        yield from remarks.of_doubles(codes, "milvus_error.codes")
        for index, code in enumerate(codes):
            if code == 0:
                yield f"milvus_error.codes[{index}]: 0 is Milvus' code for success, which no error has"

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return MilvusError(self.milvus_error)

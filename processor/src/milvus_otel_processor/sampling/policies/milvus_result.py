"""`milvus_result`: traces with a Milvus request whose answer has few rows, or none. A policy of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import listed
from milvus_otel_processor.sampling.hints.needles import Needles
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.milvus_spans import COLLECTION, milvus_spans
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace

ROWS = b"db.response.returned_rows"


class MilvusResultSettings(Settings):
    """Settings of `milvus_result`."""

    max_rows: int = Field(
        default=0,
        description="Traces with a search, query or get that returned no more rows than this are sampled; 0: none at all.",
    )


class MilvusResult(Evaluator):
    """Samples traces with a Milvus request that returned no more than so many rows.

    Looks at `db.response.returned_rows` of spans with `db.system.name: milvus`, which this project's client writes on searches,
    queries and gets that succeeded. Neither Milvus' own spans nor its access log say how many rows an answer has.
    """

    reads = Reads.NOTHING
    lasting = True
    needles = Needles((frozenset({ROWS}),))

    def __init__(self, settings: MilvusResultSettings) -> None:
        self._most = settings.max_rows

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a request returned so few rows."""
        found = any(rows <= self._most for rows, _ in _rows(trace))
        return Decision.SAMPLED if found else Decision.NOT_SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:
        """Return the reason."""
        found = list(_rows(trace))
        if not found:
            return "no span of a client says how many rows a Milvus request returned"
        if decision is Decision.SAMPLED:
            rows, where = next(one for one in found if one[0] <= self._most)
            return f"a Milvus request{where} returned {rows:,} rows, wanted at most {self._most:,}"
        return f"Milvus requests returned more than {self._most:,} rows: {listed(f'{rows:,}' for rows, _ in found)}"


def _rows(trace: Trace) -> Iterator[tuple[int, str]]:
    """Yield how many rows each request returned whose span says so, and in words on which collection."""
    for attributes in milvus_spans(trace, ROWS):
        rows = attributes[ROWS]
        if rows.isdigit():
            name = attributes.get(COLLECTION, b"").decode("utf-8", "replace")
            yield int(rows), f" on `{name}`" if name else ""


class MilvusResultPolicy(PolicySettings):
    """Traces by how many rows a Milvus request in them returned."""

    type: Literal["milvus_result"]
    milvus_result: MilvusResultSettings = Field(default=MilvusResultSettings())

    def remarks(self) -> Iterator[str]:
        """Yield a bound that no answer is within."""
        if self.milvus_result.max_rows < 0:
            yield f"milvus_result.max_rows: {self.milvus_result.max_rows} is below 0, so that no trace is sampled"

    def constant(self) -> bool | None:
        """Return False where no answer has so few rows."""
        return False if self.milvus_result.max_rows < 0 else None

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return MilvusResult(self.milvus_result)

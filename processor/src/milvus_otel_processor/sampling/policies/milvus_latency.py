"""`milvus_latency`: traces with a Milvus request that took longer than a threshold. A policy of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from milvus_otel_processor.enrichment import rest
from milvus_otel_processor.enrichment.requests import DB_SYSTEM, SERVICE, find_requests, may_hold_requests
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import amount
from milvus_otel_processor.sampling.hints.needles import Needles
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, AskedCollection, Clock, Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.collection import Named, remarks_on_names
from milvus_otel_processor.sampling.policies.milvus_spans import COLLECTION, texts_of
from milvus_otel_processor.settings import Settings
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.spans.contract import Trace

_NANOSECONDS_PER_MS = 1_000_000
_OPERATION = b"db.operation.name"


class MilvusLatencySettings(Settings):
    """Settings of `milvus_latency`."""

    threshold_ms: int = Field(
        default=0, description="Milliseconds. Traces with a Milvus request that took longer than this are sampled."
    )
    upper_threshold_ms: int = Field(
        default=0, description="Milliseconds. If not 0, requests that took longer than this do not count."
    )
    operations: list[str] = Field(
        default=[],
        description="Only requests of these kinds count, as clients or Milvus call them: `hybrid_search` and `HybridSearch` are "
        "one. Without any, all do.",
    )
    collections: list[str] = Field(
        default=[],
        description="Only requests on these collections count, names or aliases. `*` stands for any text, `?` for any one "
        "character. Without any, all do.",
    )
    database: str | None = Field(
        default=None,
        description="Only requests on this database count, with `*` and `?` as in `collections`. Without it, those on any.",
    )


class _Took(NamedTuple):
    """A request, and how long it took; milliseconds."""

    request: Request
    milliseconds: int


class MilvusLatency(Evaluator):
    """Samples traces with a Milvus request that took longer than the threshold, whatever else is in the trace.

    A request is what enrichment takes for one: an operation of an instrumented client, a call over gRPC, or one over HTTP. It took
    as long as its own span: the caller's where there is one, else Milvus'.
    """

    def __init__(self, settings: MilvusLatencySettings) -> None:
        self._more_than = settings.threshold_ms
        self._at_most = settings.upper_threshold_ms or None
        self._operations = frozenset(map(_plain, settings.operations))
        self._named = Named(settings.collections, settings.database)
        asks_names = bool(settings.collections) or settings.database is not None
        self.reads = Reads.FACTS if asks_names else Reads.NOTHING
        # No request takes longer than its whole trace, and most traces are short.
        self.wanted = Wanted(durations=(((self._more_than + 1) * _NANOSECONDS_PER_MS, None),))
        self.needles = Needles((frozenset({SERVICE, DB_SYSTEM, *rest.PATHS, rest.PROXY}),))

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a request that counts took, in whole milliseconds, as long as the bounds say."""
        if trace.duration_nanoseconds // _NANOSECONDS_PER_MS <= self._more_than or not may_hold_requests(trace):
            return Decision.NOT_SAMPLED
        is_slow = any(self._is_within(took) and self._counts(trace, took.request) for took in _requests(trace))
        return Decision.SAMPLED if is_slow else Decision.NOT_SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:
        """Return the reason."""
        all_of_them = list(_requests(trace))
        if not all_of_them:
            return "no span is of a Milvus request"
        counted = [took for took in all_of_them if self._counts(trace, took.request)]
        if not counted:
            names = ", ".join(dict.fromkeys(_operation(trace, took.request) for took in all_of_them))
            return (
                f"none of {amount(len(all_of_them), 'Milvus request')} counts by its operation or collection: {names}"
            )
        if decision is Decision.SAMPLED:
            counted = [took for took in counted if self._is_within(took)]
        longest = max(counted, key=lambda took: took.milliseconds)
        what = f"{_words(trace, longest.request)} took {longest.milliseconds:,} ms"
        beyond = self._at_most is not None and longest.milliseconds > self._at_most
        if longest.milliseconds <= self._more_than:
            return f"{what}, not above {self._more_than:,} ms"
        if self._at_most is None:
            return f"{what}, above {self._more_than:,} ms"
        return f"{what}, above {self._more_than:,} ms and {'' if beyond else 'not '}above {self._at_most:,} ms"

    def _is_within(self, took: _Took) -> bool:
        return took.milliseconds > self._more_than and (self._at_most is None or took.milliseconds <= self._at_most)

    def _counts(self, trace: Trace, request: Request) -> bool:
        if self._operations and _plain(_operation(trace, request)) not in self._operations:
            return False
        return self._named.is_everything or self._named.matches(texts_of(trace.attributes(request.span)))


def _requests(trace: Trace) -> Iterator[_Took]:
    for request in find_requests(trace):
        head = trace.heads[request.span]
        took = max(0, head.end_time_unix_nano - head.start_time_unix_nano)
        yield _Took(request, took // _NANOSECONDS_PER_MS)


def _operation(trace: Trace, request: Request) -> str:
    """Return what a request does: its gRPC method, or the like for one over HTTP; of a client's operation what it calls it."""
    if request.method is not None:
        return rest.operation_of(request.method) if request.method.startswith("/") else request.method
    value = trace.attribute(request.span, _OPERATION)
    return value.string_value.decode("utf-8", "replace") if value is not None else ""


def _plain(operation: str) -> str:
    return operation.replace("_", "").lower()


def _words(trace: Trace, request: Request) -> str:
    value = trace.attribute(request.span, COLLECTION)
    where = f" on `{value.string_value.decode('utf-8', 'replace')}`" if value is not None else ""
    return f"the request {_operation(trace, request) or 'without a name'}{where}"


class MilvusLatencyPolicy(PolicySettings):
    """Traces by how long a Milvus request in them took, whatever else they did."""

    type: Literal["milvus_latency"]
    milvus_latency: MilvusLatencySettings

    def remarks(self) -> Iterator[str]:
        """Yield bounds that no request is within, and names that match nothing."""
        latency = self.milvus_latency
        if self._is_empty():
            yield (
                f"milvus_latency.upper_threshold_ms: {latency.upper_threshold_ms} is not above threshold_ms, "
                f"{latency.threshold_ms}, so that no trace is sampled"
            )
        elif latency.threshold_ms < 0:
            yield f"milvus_latency.threshold_ms: {latency.threshold_ms} is below 0, and no request takes less than 0 ms"
        for index, name in enumerate(latency.operations):
            if not name:
                yield f"milvus_latency.operations[{index}]: is empty, and no request is of that kind"
        yield from remarks.of_doubles([name for name in latency.operations if name], "milvus_latency.operations")
        yield from remarks_on_names(
            latency.collections, latency.database, "milvus_latency.collections", "milvus_latency"
        )

    def _is_empty(self) -> bool:
        latency = self.milvus_latency
        return latency.upper_threshold_ms != 0 and latency.upper_threshold_ms <= latency.threshold_ms

    def constant(self) -> bool | None:
        """Return False where no request can be within the bounds."""
        return False if self._is_empty() or self.milvus_latency.database == "" else None

    def asked_collections(self) -> Iterator[AskedCollection]:
        """Yield each collection."""
        for name in filter(None, self.milvus_latency.collections):
            yield AskedCollection(name, self.milvus_latency.database)

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return MilvusLatency(self.milvus_latency)

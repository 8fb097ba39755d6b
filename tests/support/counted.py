"""The whole pipeline with what counts requests in it, for tests: spans in, records out."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.components import StageSettings
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.requests.record import Record
from milvus_otel_processor.sampling.policies import Clock as Clocks
from milvus_otel_processor.service.assemble import assemble
from milvus_otel_processor.spans.groups import join_traces
from milvus_otel_processor.telemetry.counters import Telemetry
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import stores
from tests.support.clock import Clock
from tests.support.enrichment import START, logs, trace_of
from tests.support.harness import ALWAYS, NEVER, sampling
from tests.support.request_records import Made

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.requests.counts import Counts
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.contract import Trace


class Records:
    """All records that are counted here from now on."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._found: list[Record] = []
        native = getattr(counts, "native", None)
        if native is not None:
            native._remember()
            self._read: Callable[[], Sequence[Any]] = native._records
        else:
            self._add, counts.add = counts.add, self._noted  # type: ignore[method-assign]
            self._read = self._found.copy

    def _noted(self, record: Record) -> None:
        self._found.append(record)
        self._add(record)

    @property
    def all(self) -> list[Made]:
        return [Made.out_of(record, self._counts) for record in map(Record._make, self._read())]

    @property
    def by_series(self) -> Counter[tuple[str, ...]]:
        """How many there are by collection, operation and error."""
        return Counter((one.series.collection, one.series.operation, one.series.error_type) for one in self.all)


class Counted:
    """A pipeline that counts requests; it keeps nothing unless other rules are given."""

    def __init__(
        self, settings: TailSamplingSettings | None = None, *, attributes: dict[str, Any] | None = None, **requests: Any
    ) -> None:
        self.milvus = MilvusSettings.model_validate(
            {"requests": requests, "catalogue": {"enabled": False}, "attributes": attributes or {}}
        )
        self.tail_sampling = settings or sampling(NEVER)
        self.clock = Clock()
        self.telemetry = Telemetry()
        self.kept: dict[bytes, Span] = {}
        self.assembled = assemble(
            self,
            exporter=self,
            telemetry=self.telemetry,
            clock=Clocks(self.clock, lambda: START + int(self.clock() * 1e9)),
            random=Random(0),
            store_kind=stores.kind(),
        )
        assert self.assembled.requests is not None
        self.requests = self.assembled.requests
        self.records = Records(self.requests.counts)

    @property
    def stages(self) -> list[StageSettings]:
        return [StageSettings("milvus", self.milvus)]

    def put(self, trace: Trace) -> None:
        """Take kept spans, as an exporter does."""
        for raw in trace.spans:
            one = Span.FromString(raw)
            self.kept[one.span_id] = one

    def log(self, *lines: str) -> None:
        """Take in lines of the access log."""
        assert self.assembled.enrichment is not None
        assert self.assembled.enrichment.access_log is not None
        self.assembled.enrichment.access_log.ingest(logs(*lines))

    def come(self, *spans: Span) -> None:
        """Take in these spans of one trace as a request."""
        self.assembled.pipeline.ingest(join_traces([trace_of(*spans)]))

    def decide(self) -> None:
        """Turn the clock until all is decided."""
        self.clock.advance(self.tail_sampling.decision_wait + 2)
        self.assembled.pipeline.tick()

    def sent(self, *spans: Span) -> list[Made]:
        """Take in a trace, decide it, and return all records up to now."""
        self.come(*spans)
        self.decide()
        return self.records.all

    @property
    def apart(self) -> dict[str, int]:
        return dict(self.telemetry.calls_apart)


def keeping(**settings: Any) -> Counted:
    """One that keeps everything."""
    return Counted(sampling(ALWAYS), **settings)

"""The pipeline without its two ends: requests are put in by hand, kept spans are recorded, the clock is turned by hand."""

from collections.abc import Callable, Mapping
from random import Random

from milvus_otel_processor.enrichment.component import Enrichment
from milvus_otel_processor.enrichment.enricher import Enricher
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.pipeline.contracts import Exporter, Stage
from milvus_otel_processor.pipeline.pipeline import Pipeline
from milvus_otel_processor.pipeline.stages import Stages
from milvus_otel_processor.sampling.policies import Clock as Clocks
from milvus_otel_processor.sampling.rules import Rules
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.service.assemble import connect, make_store
from milvus_otel_processor.spans.contract import Store, Trace
from milvus_otel_processor.telemetry.counters import Snapshot, Telemetry
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import stores
from tests.support.clock import Clock
from tests.support.spans import encoded

WALL_CLOCK_NS = 1_800_000_000 * 10**9
"""What time it is, for rules that ask, when a test's clock shows 0: in 2027, after all spans of the tests."""

ALWAYS: dict[str, object] = {"name": "everything", "type": "always_sample"}
NEVER: dict[str, object] = {"name": "nothing", "type": "probabilistic", "probabilistic": {"sampling_percentage": 0}}
ERRORS: dict[str, object] = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}


def drop_roots(*names: str, name: str = "heartbeats") -> dict[str, object]:
    """A `drop` policy for traces whose root has one of these names."""
    by_name = {"name": "names", "type": "span_name", "span_name": {"names": list(names), "root_only": True}}
    return {"name": name, "type": "drop", "drop": {"drop_sub_policy": [by_name]}}


def sampling(*policies: Mapping[str, object], **settings: object) -> TailSamplingSettings:
    """A `tail_sampling` block; everything is sampled if no policy is given."""
    return TailSamplingSettings.model_validate({"policies": list(policies) or [ALWAYS], **settings})


def enrichment(telemetry: Telemetry, clock: Clock, is_waiting: Callable[[bytes], bool] = lambda _: False) -> Enrichment:
    """The built-in sources, and a catalogue that stays empty."""
    return Enrichment(
        MilvusSettings(), telemetry, clock=clock, random=Random(0), is_waiting=is_waiting, store_kind=stores.kind()
    )


def enricher(telemetry: Telemetry, clock: Clock) -> Enricher:
    """The same, as far as it works on traces."""
    return enrichment(telemetry, clock).enricher


def pipeline_of(
    settings: TailSamplingSettings | None,
    make_stage: Callable[[Store], Stage | None],
    *,
    exporter: Exporter,
    telemetry: Telemetry,
    clock: Callable[[], float],
    wait: float | None = None,
) -> tuple[Pipeline, Store]:
    """A pipeline, wired as in the service, around parts that the test makes itself."""
    clocks = Clocks(clock, lambda: WALL_CLOCK_NS + int(clock() * 1e9))
    rules = Rules(settings, clocks, telemetry.evaluation_errors)
    telemetry.further_votes = rules.further_votes
    gathering = wait if wait is not None else settings.decision_wait if settings is not None else 0.0
    store = make_store(stores.kind(), settings, rules, gathering)
    stage = make_stage(store)
    stages = Stages([stage] if stage is not None else [], [], telemetry, clock)
    pipeline = connect(settings, rules, store, stages, exporter=exporter, telemetry=telemetry, clock=clocks)
    return pipeline, store


class RecordingExporter:
    """Keeps what it is given, as if it waited to be sent."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self.puts: list[Trace] = []

    def put(self, trace: Trace) -> None:
        self._telemetry.queued(len(trace))
        self.puts.append(trace)

    @property
    def spans(self) -> list[bytes]:
        return [span for trace in self.puts for span in trace.spans]

    @property
    def names(self) -> list[str]:
        """The names of the kept spans, in the order in which they went out."""
        return [Span.FromString(span).name for span in self.spans]


class Harness:
    """A pipeline with everything around it that a test looks at."""

    def __init__(self, settings: TailSamplingSettings | None = None, *, enrich: bool = False) -> None:
        settings = settings or sampling()
        self.settings = settings
        self.clock = Clock()
        self.telemetry = Telemetry()
        self.exporter = RecordingExporter(self.telemetry)
        self.pipeline, self.store = pipeline_of(
            settings,
            lambda store: enrichment(self.telemetry, self.clock, store.__contains__) if enrich else None,
            exporter=self.exporter,
            telemetry=self.telemetry,
            clock=self.clock,
        )

    def put(self, *spans: Span) -> int:
        """Take these spans in as one request; returns how many were refused."""
        return self.pipeline.ingest(encoded(*spans))

    def advance(self, seconds: float) -> None:
        """Turn the clock, and decide what is due then."""
        self.clock.advance(seconds)
        self.pipeline.tick()

    def decide_all(self) -> None:
        """Turn the clock until everything that waits now is due, and decide it."""
        self.advance(self.settings.decision_wait + 2 * self.store.tick)

    def snapshot(self) -> Snapshot:
        return self.telemetry.snapshot()


def assert_accounted(snapshot: Snapshot) -> None:
    """Every span that came in is in one place, and so is every one that was to go out."""
    decided = {decision: 0 for decision, _ in snapshot.decisions}
    for (decision, _), amount in snapshot.decisions.items():
        decided[decision] += amount.spans
    late = sum(snapshot.late_spans.values())
    taken = sum(decided.values()) + late + snapshot.waiting_spans
    assert snapshot.received_spans == sum(snapshot.refused_spans.values()) + taken, snapshot
    unwanted = decided.get("not_sampled", 0) + decided.get("dropped", 0)
    to_go_out = sum(decided.values()) - unwanted + snapshot.late_spans.get("sampled", 0)
    gone = snapshot.exported_spans + sum(snapshot.lost_spans.values()) + snapshot.queued_spans
    assert to_go_out == gone, snapshot

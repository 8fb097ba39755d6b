"""Puts the steps between receiver and exporter together, for the service, for replay and for tests: hold, enrich, decide."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple, Protocol

from milvus_otel_processor.components import Around, make_stage
from milvus_otel_processor.enrichment.component import Enrichment
from milvus_otel_processor.pipeline.decider import Decider
from milvus_otel_processor.pipeline.early import EarlyDecisions
from milvus_otel_processor.pipeline.judge import Judge
from milvus_otel_processor.pipeline.late import LateSpans
from milvus_otel_processor.pipeline.limits import limits_of
from milvus_otel_processor.pipeline.outlet import Outlet
from milvus_otel_processor.pipeline.pipeline import Pipeline
from milvus_otel_processor.pipeline.stages import Stages
from milvus_otel_processor.redaction.redaction import Redaction
from milvus_otel_processor.redaction.settings import RedactionSettings
from milvus_otel_processor.requests.component import ROOT_MARK, SPAN_MARKS, Requests
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.rules import Rules
from milvus_otel_processor.service.rule_collections import RuleCollections
from milvus_otel_processor.spans import stores
from milvus_otel_processor.spans.contract import StoreSettings

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.components import StageSettings
    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.pipeline.contracts import Exporter, Stage, Witness
    from milvus_otel_processor.sampling.policies import Clock
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.contract import Store, Trace
    from milvus_otel_processor.spans.stores import StoreKind
    from milvus_otel_processor.telemetry.counters import Telemetry


_WAIT_OF_OTHERS = 10.0  # seconds, as long as `wait_duration` of `milvus` is by default


class Processors(Protocol):
    """The settings of the processors that a pipeline has."""

    @property
    def milvus(self) -> MilvusSettings | None:
        """The `milvus` processor, if it takes part."""

    @property
    def stages(self) -> Sequence[StageSettings]:
        """All processors that take part but `tail_sampling`, in their order."""

    @property
    def tail_sampling(self) -> TailSamplingSettings | None:
        """The `tail_sampling` processor, if it takes part."""


class MakeRules(Protocol):
    """What makes rules of settings."""

    def __call__(
        self, settings: TailSamplingSettings | None, clock: Clock, evaluation_errors: Counter[str], /
    ) -> Rules:
        """Return the rules in force."""


class Assembled(NamedTuple):
    """A pipeline, with the parts of it that others work with."""

    pipeline: Pipeline
    store: Store
    stages: Stages
    enrichment: Enrichment | None
    collections: RuleCollections
    rules: Rules
    requests: Requests | None
    """What counts all requests, where that is wanted."""

    def replace_rules(self, sampling: TailSamplingSettings) -> None:
        """Give the pipeline, which samples and may be running, other rules."""
        self.collections.replace(sampling)
        self.pipeline.replace_rules(
            sampling,
            limits_of(sampling),
            lambda rules: _store_settings(
                sampling, rules, sampling.decision_wait, sees_requests=self.requests is not None
            ),
        )


def assemble(
    config: Processors,
    *,
    exporter: Exporter,
    telemetry: Telemetry,
    clock: Clock,
    random: Random | None = None,
    wait_for_room: Callable[[float], bool] = lambda _: True,
    make_rules: MakeRules = Rules,
    counts_votes: bool = False,
    store_kind: StoreKind = "auto",
    witness: Witness | None = None,
    counts_requests: bool = True,
) -> Assembled:
    """Return the pipeline that these settings describe, in front of what takes kept spans.

    `make_rules` is what makes the rules of their settings. `random` is what refreshes of the catalogue are spread by.
    `witness` is told of each decision, see `Decider`. `wait_for_room` waits that many seconds at the most until the exporter has
    room for more, and tells whether it has. Without `counts_requests` nobody reads how many requests there were: they are then
    looked for in kept traces alone, or where rules ask for their times. Raises SourceError where a source of the user's own cannot
    be had, OwnProcessorError where a processor of theirs cannot, StoreError where the store is not installed, and CertificateError
    where a file of the TLS settings cannot be read.
    """
    sampling = config.tail_sampling
    rules = make_rules(sampling, clock, telemetry.evaluation_errors)
    telemetry.further_votes = rules.further_votes
    rules.count_votes(counts_votes)
    counts = config.milvus if config.milvus is not None and config.milvus.requests.enabled else None
    sees_requests = counts is not None and counts_requests
    store = make_store(store_kind, sampling, rules, gathering_time(config), sees_requests=sees_requests)
    collections = RuleCollections(sampling, telemetry.missing_collections)
    around = Around(telemetry, clock, random or Random(), store, store_kind, collections.check)  # noqa: S311 - no secret
    redaction = _redaction(config, telemetry)
    made = [(stage.before_sampling, make_stage(stage, around)) for stage in _stages(config)]
    enrichment = next((stage for _, stage in made if isinstance(stage, Enrichment)), None)
    requests = None
    if enrichment is not None and counts is not None:
        requests = Requests(counts, enrichment, telemetry, clock.monotonic, store_kind)
        place = [stage for _, stage in made].index(enrichment)
        if counts_requests:
            requests.count_in(store, is_first=place == 0, times_read=lambda: rules.reads is Reads.TIMES)
        made.insert(place + 1, (True, requests))
    stages = _around_sampling(made, telemetry, clock)
    pipeline = connect(
        sampling,
        rules,
        store,
        stages,
        exporter=exporter,
        telemetry=telemetry,
        clock=clock,
        wait_for_room=wait_for_room,
        witness=witness,
        redact=redaction.redacted if redaction is not None else None,
        observe=requests.decided if requests is not None and counts_requests else None,
    )
    return Assembled(pipeline, store, stages, enrichment, collections, rules, requests)


def make_store(
    kind: StoreKind, sampling: TailSamplingSettings | None, rules: Rules, wait: float, *, sees_requests: bool = False
) -> Store:
    """Return the store that holds spans for these rules; traces wait for `wait` seconds.

    With `sees_requests` it hands out Milvus requests about which there is nothing to decide, too.
    """
    settings = _store_settings(sampling, rules, wait, sees_requests=sees_requests)
    return stores.make_store(kind, settings, rules.of_root)


def connect(
    sampling: TailSamplingSettings | None,
    rules: Rules,
    store: Store,
    stages: Stages,
    *,
    exporter: Exporter,
    telemetry: Telemetry,
    clock: Clock,
    wait_for_room: Callable[[float], bool] = lambda _: True,
    witness: Witness | None = None,
    redact: Callable[[Trace], Trace] | None = None,
    observe: Callable[[Trace, bool], None] | None = None,
) -> Pipeline:
    """Return the pipeline of these parts."""
    outlet = Outlet(exporter, telemetry, clock.monotonic, redact=redact)
    decider = Decider(
        judge=Judge(stages, rules),
        rules=rules,
        store=store,
        outlet=outlet,
        telemetry=telemetry,
        clock=clock.monotonic,
        witness=witness,
        observe=observe,
    )
    return Pipeline(
        store=store,
        rules=rules,
        stages=stages,
        decider=decider,
        late=LateSpans(stages, outlet, telemetry, observe),
        early=EarlyDecisions(
            limits_of(sampling),
            store=store,
            rules=rules,
            decider=decider,
            telemetry=telemetry,
            wait_for_room=wait_for_room,
        ),
        telemetry=telemetry,
        clock=clock.monotonic,
        wait_for_room=wait_for_room,
    )


def gathering_time(config: Processors) -> float:
    """Return how long traces are gathered: by `tail_sampling`, else `milvus`, else other processors, else not at all; seconds."""
    if config.tail_sampling is not None:
        return config.tail_sampling.decision_wait
    if config.milvus is not None:
        return config.milvus.wait_duration
    return _WAIT_OF_OTHERS if _stages(config) else 0.0


def redacts(config: Processors) -> bool:
    """Tell whether kept spans are redacted; they are no longer the store's own then."""
    return any(isinstance(stage.settings, RedactionSettings) for stage in config.stages)


def _stages(config: Processors) -> list[StageSettings]:
    return [stage for stage in config.stages if not isinstance(stage.settings, RedactionSettings)]


def _around_sampling(made: Sequence[tuple[bool, Stage]], telemetry: Telemetry, clock: Clock) -> Stages:
    """Return these stages, of which each comes with whether it stands before sampling."""
    before = [stage for is_before, stage in made if is_before]
    after = [stage for is_before, stage in made if not is_before]
    return Stages(before, after, telemetry, clock.monotonic)


def _redaction(config: Processors, telemetry: Telemetry) -> Redaction | None:
    found = (
        Redaction(stage.name, stage.settings, telemetry)
        for stage in config.stages
        if isinstance(stage.settings, RedactionSettings)
    )
    return next(found, None)


def _store_settings(
    sampling: TailSamplingSettings | None, rules: Rules, wait: float, *, sees_requests: bool = False
) -> StoreSettings:
    if sampling is None:
        return StoreSettings(wait)
    return StoreSettings(
        wait=wait,
        wait_after_root=sampling.decision_wait_after_root_received,
        wait_after_complete=sampling.decision_wait_after_complete,
        sampled_cache_size=sampling.decision_cache.sampled_cache_size,
        not_sampled_cache_size=sampling.decision_cache.non_sampled_cache_size,
        asks_roots=rules.asks_roots,
        tells_resources=rules.asks_resources,
        tells_touched=rules.samples_early or limits_of(sampling).bounds_trace_size,
        passes=SPAN_MARKS if sees_requests else frozenset(),
        passes_roots=ROOT_MARK if sees_requests else b"",
    )

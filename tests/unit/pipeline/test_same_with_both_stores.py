"""Whatever is done with a pipeline, it keeps, drops, loses and counts the same with either store."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from milvus_otel_processor.pipeline.limits import limits_of
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.service.assemble import _store_settings
from milvus_otel_processor.spans.schema import DecodeError

from tests.support.harness import ALWAYS, ERRORS, Harness, assert_accounted, drop_roots, sampling
from tests.support.policies import entry
from tests.support.stores import any_store as every_store  # noqa: F401 - a fixture
from tests.support.stores import native_store_there, using
from tests.support.traffic import TRACES, mutated, request, with_malformed_spans

__all__ = ["native_store_there"]
pytestmark = pytest.mark.usefixtures("native_store_there")

OPERATIONS = 50


def rules(random: Random) -> TailSamplingSettings:
    """Some of the rules that decide early, look at names, at bytes, at attributes, or at nothing."""
    policies = [
        drop_roots("heartbeat"),
        ERRORS,
        entry("string_attribute", {"key": "db.collection.name", "values": ["products"]}, "products"),
        entry("latency", {"threshold_ms": 500}, "slow"),
        entry("probabilistic", {"sampling_percentage": 40}, "share"),
        ALWAYS,
    ]
    chosen = [policy for policy in policies if random.random() < 0.5] or [ERRORS]
    return sampling(
        *chosen,
        decision_wait=random.choice((1.0, 10.0)),
        decision_wait_after_root_received=random.choice((0.0, 0.5)),
        decision_wait_after_complete=random.choice((0.0, 0.7)),
        num_traces=random.choice((3, 1000)),
        maximum_trace_size_bytes=random.choice((0, 0, 400)),
        sample_on_first_match=random.random() < 0.3,
        decision_cache={
            size: random.choice((0, TRACES, 1000)) for size in ("sampled_cache_size", "non_sampled_cache_size")
        },
    )


class Both:
    """The same pipeline twice, with the reference store and with the native one."""

    def __init__(self, random: Random) -> None:
        self.random = random
        settings, enrich = rules(random), random.random() < 0.5
        self.harnesses = []
        for kind in ("reference", "native"):
            with using(kind):
                self.harnesses.append(Harness(settings, enrich=enrich))

    def do(self, act: Callable[[Harness], Any]) -> None:
        """Do the same with both, and compare what comes of it."""
        reference, native = map(act, self.harnesses)
        assert native == reference
        reference, native = (harness.snapshot() for harness in self.harnesses)
        assert counted(native) == counted(reference)
        assert_accounted(native)
        reference, native = (sorted(harness.exporter.spans) for harness in self.harnesses)
        assert native == reference

    def receive(self) -> None:
        data, kind = request(self.random), self.random.random()
        if kind < 0.3:
            data = with_malformed_spans(self.random, data)
        elif kind < 0.4:
            data = mutated(self.random, data)
        self.do(lambda harness: taken(harness, data))

    def pass_time(self) -> None:
        seconds = self.random.choice((0.1, 0.6, 2.0, 11.0))
        self.do(lambda harness: harness.advance(seconds))

    def reload(self) -> None:
        settings = rules(self.random)

        def replace(harness: Harness) -> None:
            harness.pipeline.replace_rules(
                settings, limits_of(settings), lambda made: _store_settings(settings, made, settings.decision_wait)
            )

        self.do(replace)

    def drain(self) -> None:
        self.do(lambda harness: harness.pipeline.drain(lambda: 0.0))

    def memory_is_short(self) -> None:
        turns = self.random.randrange(3)

        def decide(harness: Harness) -> None:
            left = iter([True] * turns)
            harness.pipeline.decide_oldest(lambda: next(left, False))

        self.do(decide)


def counted(snapshot: Any) -> dict[str, Any]:
    """What was counted, less what is time that passed in this process."""
    measured = ("stage_seconds", "decision_timer_latency", "request_duration")
    return {name: value for name, value in vars(snapshot).items() if name not in measured}


def taken(harness: Harness, data: bytes) -> int | None:
    """How many spans of the request were refused; None where it is malformed."""
    try:
        return harness.pipeline.ingest(data)
    except DecodeError:
        return None


@pytest.mark.parametrize("seed", range(40))
def test_the_same_comes_of_the_same(seed: int):
    random = Random(seed)
    both = Both(random)
    operations = [*[both.receive] * 8, *[both.pass_time] * 4, both.reload, both.drain, both.memory_is_short]
    for _ in range(OPERATIONS):
        random.choice(operations)()
    both.drain()
    assert both.harnesses[0].snapshot().waiting_spans == 0

"""Rules that are replaced again and again while real traffic comes in from several senders."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from threading import Event

from milvus_otel_processor.sampling.settings import TailSamplingSettings

from tests.benchmarks.load import repeated, spans_in
from tests.peers.otlp_sink import otlp_sink
from tests.support.harness import ALWAYS, ERRORS, assert_accounted, drop_roots, sampling
from tests.support.processor import Configuration, exporter_settings, receiver_settings, running_processor
from tests.support.recordings import of_all_versions

ROUNDS = 6
EVERYTHING = [
    sampling(ALWAYS, decision_wait="1h"),
    sampling(ERRORS, {**ALWAYS, "name": "the rest"}, decision_wait="50ms"),
    sampling(drop_roots("no such root"), ALWAYS, decision_wait="10ms", decision_wait_after_root_received="10ms"),
]
"""Rules that keep every trace, each in another way."""


def test_no_span_is_lost_nor_doubled() -> None:
    requests = list(repeated(list(of_all_versions()), ROUNDS))
    sent = spans_in(requests)
    with (
        otlp_sink() as sink,
        running_processor(
            Configuration(receiver_settings(), exporter_settings(sink.endpoint), EVERYTHING[0])
        ) as running,
    ):
        done = Event()

        def replace() -> int:
            for count, rules in enumerate(cycle(EVERYTHING)):
                if done.wait(0.002):
                    return count
                running.service.replace_rules(TailSamplingSettings.model_validate(rules.model_dump(by_alias=True)))
            raise AssertionError

        with ThreadPoolExecutor(4) as threads:
            replaced = threads.submit(replace)
            for answer in threads.map(running.send, requests):
                assert not answer.HasField("partial_success")
            done.set()
            assert replaced.result() > ROUNDS
        running.stop()
        after = running.service.telemetry.snapshot()
        ids = [(span.trace_id, span.span_id) for span in sink.spans()]
    assert (after.received_spans, after.exported_spans, after.lost_spans) == (sent, sent, {})
    assert_accounted(after)
    assert len(ids) == len(set(ids)) == sent

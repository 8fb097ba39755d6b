"""What a real Prometheus makes of the counts where the processor restarts and where clocks jump: resets, and no negative rate."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import pytest
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.spans.groups import join_traces
from milvus_otel_processor.telemetry import push
from milvus_otel_processor.telemetry.settings import MetricsSettings

from tests.peers.otlp_sink import otlp_sink
from tests.peers.process import free_port
from tests.peers.prometheus import Prometheus, prometheus
from tests.peers.waiting import wait_until
from tests.support.enrichment import served, trace_of
from tests.support.harness import NEVER, sampling
from tests.support.processor import Configuration, Running, exporter_settings, receiver_settings, running_processor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = "milvus_request_duration_seconds_count"
DEADLINE = 120.0
EVERY_MS = 300
_numbers = count(1)


class Started(NamedTuple):
    """A Prometheus, and the port at which it asks for the page of a processor; that is the job `asked`."""

    peer: Prometheus
    port: int

    def counted(self, job: str) -> float:
        """How many requests it knows of now, of those that the latest processor counted."""
        return max((float(one["value"][1]) for one in self.peer.query(f'{COUNT}{{job="{job}"}}')), default=0.0)

    def wait_for(self, job: str, requests: int) -> None:
        wait_until(lambda: self.counted(job) == requests, f"{requests} requests of {job}", DEADLINE, 0.2)

    def wait_for_sent(self, instance: str, requests: int) -> None:
        expression = f'{COUNT}{{job="sent", instance=~"{instance}"}} == {requests}'
        wait_until(lambda: self.peer.query(expression), f"{requests} requests of {instance}", DEADLINE, 0.2)

    def one(self, expression: str) -> float:
        (found,) = self.peer.query(expression)
        return float(found["value"][1])


@contextmanager
def processor(started: Started, *, instance: str | None = None) -> Iterator[Running]:
    """A processor whose metrics are asked for, and sent as the job `sent`."""
    otlp = {"protocol": "http/protobuf", "endpoint": f"{started.peer.url}/api/v1/otlp/v1/metrics"}
    readers = [
        {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": started.port}}}},
        {"periodic": {"interval": EVERY_MS, "exporter": {"otlp": otlp}}},
    ]
    resource = {"service.name": "sent"}
    if instance is not None:
        resource["service.instance.id"] = instance
    with ExitStack() as stack:
        sink = stack.enter_context(otlp_sink())
        configuration = Configuration(
            receiver_settings(),
            exporter_settings(sink.endpoint),
            sampling(NEVER, decision_wait="10ms"),
            milvus=MilvusSettings.model_validate({"catalogue": {"enabled": False}}),
            metrics=MetricsSettings.model_validate({"readers": readers}),
            resource=resource,
        )
        yield stack.enter_context(running_processor(configuration))


def send(running: Running, requests: int) -> None:
    for number in range(1, requests + 1):
        trace_id = next(_numbers).to_bytes(16, "big")
        running.send(join_traces([trace_of(served(number, "Search", trace_id=trace_id))]))


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder: Path = tmp_path_factory.mktemp("prometheus")
    configuration, port = folder / "prometheus.yaml", free_port()
    often = "scrape_interval: 300ms, scrape_timeout: 300ms"
    target = f"{{job_name: asked, {often}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}"
    configuration.write_text(f"scrape_configs:\n  - {target}\n", encoding="utf-8")
    with prometheus(folder, configuration, "--web.enable-otlp-receiver") as peer:
        yield Started(peer, port)


def assert_no_rate_is_negative(started: Started, job: str) -> None:
    counters = [f"milvus_request_duration_seconds_{what}" for what in ("count", "sum", "bucket")]
    for counter in (*counters, "milvus_otel_processor_decided_spans_total"):
        least = f'min_over_time(rate({counter}{{job="{job}"}}[2m])[5m:500ms])'
        # A rate takes two samples, and a step of its own at which it is looked at.
        wait_until(partial(started.peer.query, least), "a rate", DEADLINE, 0.2)
        assert not started.peer.query(f"{least} < 0")


def test_a_restart_is_a_reset_and_no_rate_is_negative(started: Started) -> None:
    with processor(started, instance="same") as running:
        send(running, 30)
        started.wait_for("asked", 30)
        started.wait_for("sent", 30)
    with processor(started, instance="same") as running:
        send(running, 10)
        started.wait_for("asked", 10)
        started.wait_for("sent", 10)
    for job in ("asked", "sent"):
        assert started.one(f'resets({COUNT}{{job="{job}"}}[5m])') == 1
        assert_no_rate_is_negative(started, job)


def test_without_an_instance_of_its_own_each_start_is_another_series(started: Started) -> None:
    def instances() -> set[str]:
        return {one["metric"]["instance"] for one in started.peer.query(f'last_over_time({COUNT}{{job="sent"}}[5m])')}

    before = instances()
    for requests in (4, 3):
        with processor(started) as running:
            send(running, requests)
            started.wait_for("asked", requests)
            started.wait_for_sent(".+", requests)
    assert len(instances() - before) == 2


def test_a_clock_that_is_set_back_loses_no_count_and_makes_no_negative_rate(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    with processor(started, instance="jumps") as running:
        send(running, 20)
        started.wait_for_sent("jumps", 20)
        for total, back in ((40, 2), (60, 3600)):
            monkeypatch.setattr(push, "time_ns", lambda back=back: time.time_ns() - back * 10**9)
            send(running, 20)
            started.wait_for_sent("jumps", total)
        assert running.service.telemetry.failed_metric_exports == 0
    assert started.one(f'resets({COUNT}{{job="sent", instance="jumps"}}[5m])') == 0
    assert_no_rate_is_negative(started, "sent")


def test_with_start_times_the_first_value_of_a_series_counts(tmp_path: Path) -> None:
    configuration = tmp_path / "prometheus.yaml"
    configuration.write_text("", encoding="utf-8")
    features = "--enable-feature=created-timestamp-zero-ingestion"
    with prometheus(tmp_path, configuration, "--web.enable-otlp-receiver", features) as peer:
        found = Started(peer, free_port())
        with processor(found) as running:
            time.sleep(2 * EVERY_MS / 1000)
            send(running, 5)
            found.wait_for("sent", 5)
            grown = f'increase({COUNT}{{job="sent"}}[1m])'
            wait_until(lambda: peer.query(grown), "a rate", DEADLINE, 0.2)
            assert found.one(grown) > 4

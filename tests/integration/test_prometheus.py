"""A real Prometheus: what it asks for and what is sent to it are the same metrics, under the same names."""

import time
from collections.abc import Iterator
from time import monotonic

import pytest
from milvus_otel_processor.requests.record import STAGES, Series
from milvus_otel_processor.telemetry.counters import Telemetry
from milvus_otel_processor.telemetry.family import Source
from milvus_otel_processor.telemetry.own import own_metrics, process_metrics, together
from milvus_otel_processor.telemetry.push import Push
from milvus_otel_processor.telemetry.settings import PeriodicSettings
from milvus_otel_processor.web.metrics import metrics_routes

from tests.peers.prometheus import Prometheus, prometheus
from tests.peers.waiting import wait_until
from tests.support.http import served
from tests.support.request_records import Made, counted, source_of

BOUNDS = (0.01, 0.1, 1.0)
TRACE = bytes(range(16))
DEADLINE = 120.0
ANSWERED = ("up", "scrape_", "target_info", "python_")
"""What Prometheus says of each page that it asks for and of who sends, and what only the page says: how these names begin."""


def all_metrics() -> Source:
    telemetry = Telemetry()
    telemetry.tally("sampled", "errors").add(7)
    telemetry.sent_in(0.2)
    telemetry.certificates["receiver"] = 1.0
    series = Series("default", "products", "Search", "100", "shop")
    records = [Made(series, one, (0.01,) * len(STAGES), True, TRACE, time.time_ns()) for one in (0.05, 0.5, 2.0)]
    requests = source_of(counted(*records, bounds=BOUNDS, exponential=True))
    return together(own_metrics(telemetry.snapshot), process_metrics(), requests)


def sent(source: Source, url: str, job: str, aggregation: str) -> None:
    otlp = {"protocol": "http/protobuf", "endpoint": url, "default_histogram_aggregation": aggregation}
    settings = PeriodicSettings.model_validate({"interval": 3_600_000, "exporter": {"otlp": otlp}})
    failures: list[int] = []
    push = Push(settings, source, {"service.name": job}, lambda: failures.append(1), monotonic)
    push.start()
    push.stop(60)
    assert failures == []


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    source = all_metrics()
    with served(metrics_routes(source)) as url:
        configuration = folder / "prometheus.yaml"
        address = url.removeprefix("http://")
        configuration.write_text(
            "scrape_configs:\n"
            f"  - {{job_name: asked, scrape_interval: 1s, static_configs: [{{targets: ['{address}']}}]}}\n",
            encoding="utf-8",
        )
        options = ("--web.enable-otlp-receiver", "--enable-feature=exemplar-storage")
        with prometheus(folder, configuration, *options) as found:
            endpoint = f"{found.url}/api/v1/otlp/v1/metrics"
            sent(source, endpoint, "sent", "explicit_bucket_histogram")
            sent(source, endpoint, "exponential", "base2_exponential_bucket_histogram")
            wait_until(lambda: found.query('milvus_otel_ready{job="asked"}'), "a scrape", DEADLINE, 0.5)
            wait_until(lambda: found.query('milvus_otel_ready{job="exponential"}'), "what was sent", DEADLINE, 0.5)
            yield found


def series(peer: Prometheus, job: str) -> set[frozenset[tuple[str, str]]]:
    """All series of a job, by their names and labels but for whose they are; a bound is written as 1.0 or as 1."""
    whose = {"job", "instance"}
    return {
        frozenset(
            (key, str(float(value)) if key == "le" else value)
            for key, value in one["metric"].items()
            if key not in whose
        )
        for one in peer.query(f'{{job="{job}"}}')
        if not one["metric"]["__name__"].startswith(ANSWERED)
    }


def test_what_is_asked_for_and_what_is_sent_are_the_same_series(peer: Prometheus) -> None:
    asked = series(peer, "asked")
    assert len(asked) > 100
    assert asked == series(peer, "sent")


@pytest.mark.parametrize("job", ["asked", "sent"])
def test_exemplars_come_with_their_trace(peer: Prometheus, job: str) -> None:
    now = time.time()
    found = peer.exemplars(f'milvus_request_duration_seconds_bucket{{job="{job}"}}', now - 3600, now + 60)
    assert {one["labels"]["trace_id"] for each in found for one in each["exemplars"]} == {TRACE.hex()}


def test_exponential_histograms_are_native_ones_with_the_same_count(peer: Prometheus) -> None:
    (count,) = peer.query('histogram_count(milvus_request_duration_seconds{job="exponential"})')
    assert count["value"][1] == "3"
    (half,) = peer.query('histogram_quantile(0.5, milvus_request_duration_seconds{job="exponential"})')
    assert float(half["value"][1]) == pytest.approx(0.5, rel=0.05)

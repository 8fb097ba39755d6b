"""Metrics that are sent by OTLP."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import grpc
import pytest
from milvus_otel_processor.service.making import StartError
from milvus_otel_processor.service.service import Service
from milvus_otel_processor.telemetry import push as push_module
from milvus_otel_processor.telemetry.counters import Telemetry
from milvus_otel_processor.telemetry.family import (
    HISTOGRAM,
    Buckets,
    Exemplar,
    Exponential,
    Family,
    Point,
    Source,
)
from milvus_otel_processor.telemetry.own import own_metrics, process_metrics, together
from milvus_otel_processor.telemetry.push import Push, PushError
from milvus_otel_processor.telemetry.settings import MetricsSettings, PeriodicSettings
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from pydantic import ValidationError

from tests.peers.waiting import wait_until
from tests.support.metrics_sink import MetricsSink, grpc_sink, http_sink
from tests.support.processor import Configuration, exporter_settings, receiver_settings

OFTEN, NEVER = 10, 3_600_000
TRACE = bytes(range(16))
RESOURCE = {"service.name": "milvus-otel-processor", "service.version": "1"}
SINKS = {"grpc": grpc_sink, "http/protobuf": http_sink}


def periodic(protocol: str, endpoint: str, interval: int = NEVER, **more: object) -> PeriodicSettings:
    otlp = {"protocol": protocol, "endpoint": endpoint, **more}
    return PeriodicSettings.model_validate({"interval": interval, "exporter": {"otlp": otlp}})


@contextmanager
def pushing(settings: PeriodicSettings, source: Source, on_failure: Callable[[], object] = list) -> Iterator[Push]:
    push = Push(settings, source, RESOURCE, on_failure, monotonic)
    push.start()
    try:
        yield push
    finally:
        push.stop(30)


def histograms(exponential: bool) -> Iterator[Family]:
    exemplar = Exemplar(0.3, TRACE, 1_000)
    value = (
        Exponential(3, 1, -4, [1, 0, 2], 0.9, [exemplar])
        if exponential
        else Buckets((0.1, 1.0), [1, 2, 0], 0.9, {1: exemplar})
    )
    yield Family("milvus.request.duration", HISTOGRAM, "s", "How long.", [Point({"db.namespace": "", "x": "y"}, value)])


@pytest.mark.parametrize("protocol", SINKS)
def test_counters_gauges_and_histograms_arrive_with_names_units_and_times(protocol: str) -> None:
    telemetry = Telemetry()
    telemetry.tally("sampled", "errors").add(7)
    telemetry.sent_in(0.002)
    before = time_ns()
    opened: Callable[[], AbstractContextManager[tuple[MetricsSink, str]]] = SINKS[protocol]
    with opened() as (sink, url):
        with pushing(periodic(protocol, url), own_metrics(telemetry.snapshot)):
            pass  # the last push, at the end, is the only one
        sink.wait_for(1)
        metrics = sink.metrics()
    decided = metrics["milvus_otel_processor_decided_spans"]
    assert decided.unit == "{span}"
    assert decided.sum.is_monotonic
    assert decided.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = [one for one in decided.sum.data_points if len(one.attributes) == 2]
    assert {one.key: one.value.string_value for one in point.attributes} == {"decision": "sampled", "policy": "errors"}
    assert point.as_int == 7
    assert before <= point.start_time_unix_nano < point.time_unix_nano <= time_ns()
    assert metrics["milvus_otel_ready"].gauge.data_points[0].as_int == 0
    sent = metrics["milvus_otel_exporter_send_duration"]
    assert sent.unit == "s"
    assert (sent.histogram.data_points[0].count, sent.histogram.data_points[0].sum) == (1, 0.002)
    assert not sent.histogram.data_points[0].HasField("min")


def test_the_resource_says_who_sends_and_each_start_is_an_instance_of_its_own() -> None:
    instances = set()
    for _ in range(2):
        with grpc_sink() as (sink, url):
            with pushing(periodic("grpc", url), process_metrics()):
                pass
            (request,) = sink.wait_for(1)
        resource = {one.key: one.value.string_value for one in request.resource_metrics[0].resource.attributes}
        assert resource["service.name"] == "milvus-otel-processor"
        instances.add(resource["service.instance.id"])
    assert len(instances) == 2


def test_it_is_sent_again_and_again_and_times_only_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100, 90, 50, *range(50, 10_000)])  # the clock is set back
    monkeypatch.setattr(push_module, "time_ns", lambda: next(times))
    with grpc_sink() as (sink, url), pushing(periodic("grpc", url, OFTEN), histograms):
        requests = sink.wait_for(3)
    points = [r.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0] for r in requests]
    assert [one.time_unix_nano for one in points[:3]] == [1_000_100, 2_000_100, 3_000_100]
    assert {one.start_time_unix_nano for one in points} == {100}


def test_exemplars_go_with_their_trace_and_attributes_that_are_not_known_are_left_out() -> None:
    with grpc_sink() as (sink, url):
        with pushing(periodic("grpc", url), histograms):
            pass
        sink.wait_for(1)
        (point,) = sink.metrics()["milvus.request.duration"].histogram.data_points
    assert [one.key for one in point.attributes] == ["x"]
    assert (list(point.bucket_counts), list(point.explicit_bounds)) == ([1, 2, 0], [0.1, 1.0])
    (exemplar,) = point.exemplars
    assert (exemplar.trace_id, exemplar.as_double, exemplar.time_unix_nano) == (TRACE, 0.3, 1_000)


def test_histograms_are_exponential_where_the_settings_say_so() -> None:
    with grpc_sink() as (sink, url):
        aggregation: dict[str, Any] = {"default_histogram_aggregation": "base2_exponential_bucket_histogram"}
        with pushing(periodic("grpc", url, NEVER, **aggregation), histograms):
            pass
        sink.wait_for(1)
        (point,) = sink.metrics()["milvus.request.duration"].exponential_histogram.data_points
    assert (point.scale, point.zero_count, point.count, point.sum) == (3, 1, 4, 0.9)
    assert (point.positive.offset, list(point.positive.bucket_counts)) == (-4, [1, 0, 2])
    assert point.exemplars[0].trace_id == TRACE


@pytest.mark.parametrize("protocol", SINKS)
def test_headers_are_sent_with_each_request(protocol: str) -> None:
    opened: Callable[[], AbstractContextManager[tuple[MetricsSink, str]]] = SINKS[protocol]
    with opened() as (sink, url):
        with pushing(periodic(protocol, url, headers=[{"name": "X-Scope", "value": "a"}]), histograms):
            pass
        sink.wait_for(1)
        assert sink.headers[0]["x-scope"] == "a"


def test_what_is_too_much_for_one_request_is_sent_in_several() -> None:
    points = [Point({"db.collection.name": f"c{number}"}, float(number)) for number in range(4_500)]
    with grpc_sink() as (sink, url):
        with pushing(periodic("grpc", url), lambda _: [Family("many", "gauge", "", "Many.", points)]):
            pass
        requests = sink.wait_for(3)
    sizes = [len(one.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points) for one in requests]
    assert sizes == [2_000, 2_000, 500]


def test_a_push_that_fails_is_counted_and_the_next_has_it_all() -> None:
    telemetry = Telemetry()
    telemetry.tally("sampled", "errors").add(7)
    with grpc_sink() as (sink, url):
        sink.refuse = grpc.StatusCode.PERMISSION_DENIED
        settings = periodic("grpc", url, OFTEN)
        with pushing(settings, own_metrics(telemetry.snapshot), telemetry.metrics_not_sent):
            wait_until(lambda: telemetry.failed_metric_exports, "a failure that is counted")
            sink.refuse = None
            sink.wait_for(1)
        assert sink.metrics()["milvus_otel_metrics_export_failures"].sum.data_points[0].as_int >= 1
        assert sink.metrics()["milvus_otel_processor_decided_spans"].sum.data_points


def test_a_source_that_fails_is_counted_and_does_not_end_the_pushing(caplog: pytest.LogCaptureFixture) -> None:
    failures: list[int] = []

    def source(exponential: bool) -> Iterator[Family]:
        if len(failures) < 2:
            raise ValueError("no metrics now")
        return histograms(exponential)

    with grpc_sink() as (sink, url), pushing(periodic("grpc", url, OFTEN), source, lambda: failures.append(1)):
        sink.wait_for(1)
    assert len(failures) == 2
    assert [record.getMessage() for record in caplog.records] == ["sending the metrics failed"]


def test_the_service_sends_its_metrics_while_it_runs_and_at_its_end() -> None:
    with grpc_sink() as (sink, url):
        reader = {"periodic": {"interval": NEVER, "exporter": {"otlp": {"protocol": "grpc", "endpoint": url}}}}
        service = Service(
            Configuration(
                receiver_settings(),
                exporter_settings("127.0.0.1:1"),
                metrics=MetricsSettings.model_validate({"readers": [reader]}),
                resource={"service.instance.id": "one", "k8s.pod.name": "p"},
            )
        )
        service.start()
        service.stop(5)
        (request,) = sink.wait_for(1)
        names = set(sink.metrics())
    resource = {one.key: one.value.string_value for one in request.resource_metrics[0].resource.attributes}
    assert (resource["service.instance.id"], resource["k8s.pod.name"]) == ("one", "p")
    assert {"milvus_otel_ready", "process_start_time", "milvus_otel_build_info"} <= names


def test_what_is_sent_is_what_the_page_shows() -> None:
    telemetry = Telemetry()
    source = together(own_metrics(telemetry.snapshot), process_metrics())
    with grpc_sink() as (sink, url):
        with pushing(periodic("grpc", url), source):
            pass
        sink.wait_for(1)
        sent = {name for name, metric in sink.metrics().items() if metric.WhichOneof("data")}
    assert sent == {family.name for family in source(False) if family.points}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"endpoint": "collector:4318"}, "is not a whole URL; write one such as http://collector:4318/v1/metrics"),
        ({"protocol": "grpc", "endpoint": "ftp://collector"}, "begins with neither http:// nor https://"),
        ({"client_certificate": "x.pem"}, "expected client_certificate and client_key, both or neither"),
        ({"temporality_preference": "delta"}, "cumulative"),
        ({"protocol": "http/json"}, "grpc"),
    ],
    ids=["half a URL", "another scheme", "a certificate alone", "delta", "another protocol"],
)
def test_settings_that_cannot_work_are_refused(changed: dict[str, object], said: str) -> None:
    settings = {"protocol": "http/protobuf", "endpoint": "http://collector:4318/v1/metrics", **changed}
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        PeriodicSettings.model_validate({"exporter": {"otlp": settings}})


def test_a_reader_is_one_of_two() -> None:
    both = {"pull": {"exporter": {"prometheus": {"port": 1}}}, "periodic": {"exporter": {"otlp": {}}}}
    for reader in ({}, both):
        with pytest.raises(ValidationError):
            MetricsSettings.model_validate({"readers": [reader]})


def test_a_header_is_a_secret() -> None:
    settings = periodic("grpc", "http://localhost:1", headers=[{"name": "authorization", "value": "Bearer hunter2"}])
    assert "hunter2" not in repr(settings) + str(settings.model_dump())


def test_a_certificate_that_is_none_stops_the_start_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    with pytest.raises(PushError, match=f"{file} is not a PEM file"):
        Push(periodic("grpc", "https://localhost:1", certificate=str(file)), histograms, {}, list, monotonic)


def test_without_the_packages_the_start_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.metric_exporter", None)
    reader = {"periodic": {"exporter": {"otlp": {"protocol": "grpc", "endpoint": "http://localhost:1"}}}}
    settings = MetricsSettings.model_validate({"readers": [reader]})
    with pytest.raises(StartError, match=r"readers: .*`pip install './processor\[metrics\]'` in a checkout"):
        Service(Configuration(receiver_settings(), exporter_settings("127.0.0.1:1"), metrics=settings))


def test_who_sends_no_metrics_does_not_load_the_sdk() -> None:
    ask = (
        "import sys, milvus_otel_processor.service.service as s; "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter', 'requests'))])"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_families_of_any_size_are_parted_in_their_order_and_each_point_goes_once() -> None:
    sizes = [0, 1, 1_999, 0, 2_000, 3, 4_001]
    families = [
        Family(f"f{place}", "gauge", "", "", [Point({}, float(number)) for number in range(size)])
        for place, size in enumerate(sizes)
    ]
    parts = list(push_module._in_parts(families))
    assert [sum(len(one.points) for one in part) for part in parts] == [2_000, 2_000, 2_000, 2_000, 4]
    sent = [(one.name, point.value) for part in parts for one in part for point in one.points]
    assert sent == [(one.name, point.value) for one in families for point in one.points]

"""All requests on the page for Prometheus: under OpenTelemetry's names, with exemplars, and as Jaeger's Monitor page reads them."""

from collections.abc import Iterator

import pytest
from milvus_otel_processor.requests.record import Series
from milvus_otel_processor.telemetry.family import Family, Point, Source
from milvus_otel_processor.web.metrics import metrics_routes
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.http import ask, served
from tests.support.request_records import Made, counted, source_of, times

BOUNDS = (0.01, 0.1, 1.0)
TRACE = bytes(range(16))
PRODUCTS = Series("default", "products", "Search", "", "shop")
FAILED = PRODUCTS._replace(error_type="100")
PLAIN = Series("default", "products", "HybridSearch", "", "")
OPEN_METRICS = "application/openmetrics-text;version=1.0.0"


def record(series: Series, seconds: float, *, kept: bool = False, **stages: float) -> Made:
    return Made(series, seconds, times(**stages), kept, TRACE, 1_700_000_000_500_000_000)


def source(*records: Made, server: str | None = None) -> Source:
    return source_of(counted(*records, bounds=BOUNDS), server)


def page(found: Source, accept: str = "text/plain") -> str:
    with served(metrics_routes(found)) as url:
        return ask(f"{url}/metrics", accept=accept).body.decode()


def test_requests_are_shown_by_what_they_are_about() -> None:
    text = page(source(record(PRODUCTS, 0.05), record(PRODUCTS, 0.5), record(FAILED, 0.001)))
    labels = 'db_collection_name="products",db_namespace="default",db_operation_name="Search"'
    name = "milvus_request_duration_seconds"
    assert f'{name}_bucket{{{labels},error_type="",le="0.1",service_name="shop"}} 1.0' in text
    assert f'{name}_bucket{{{labels},error_type="",le="+Inf",service_name="shop"}} 2.0' in text
    assert f'{name}_sum{{{labels},error_type="",service_name="shop"}} 0.55' in text
    assert f'{name}_count{{{labels},error_type="100",service_name="shop"}} 1.0' in text


def test_stages_are_shown_where_there_are_any() -> None:
    text = page(source(record(PRODUCTS, 0.5, wait=0.4, core=0.05)))
    counts = [line for line in text.splitlines() if line.startswith("milvus_request_stage_duration_seconds_count")]
    assert sorted(line.partition('stage="')[2].partition('"')[0] for line in counts) == ["core", "wait"]


def test_only_kept_traces_are_exemplars_and_only_open_metrics_shows_them() -> None:
    found = source(record(PRODUCTS, 0.05, kept=True), record(PRODUCTS, 0.5))
    text = page(found, OPEN_METRICS)
    exemplars = {
        sample.labels["le"]: sample.exemplar
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        if family.name == "milvus_request_duration_seconds"
        for sample in family.samples
        if sample.exemplar
    }
    assert set(exemplars) == {"0.1"}
    assert exemplars["0.1"].labels == {"trace_id": TRACE.hex()}
    assert (exemplars["0.1"].value, float(exemplars["0.1"].timestamp)) == (0.05, 1_700_000_000.5)
    assert "trace_id" not in page(found)


def test_nothing_is_there_for_jaeger_unless_it_is_asked_for() -> None:
    assert "span_metrics" not in page(source(record(PRODUCTS, 0.5)))


def test_jaegers_monitor_page_finds_all_requests_under_milvus_and_those_of_known_callers_under_their_name() -> None:
    text = page(source(record(PRODUCTS, 0.05), record(FAILED, 0.001), record(PLAIN, 2.0), server="standalone"))
    calls = {line for line in text.splitlines() if line.startswith("traces_span_metrics_calls_total")}
    server = "milvus.proto.milvus.MilvusService/"
    assert calls == {
        f'traces_span_metrics_calls_total{{service_name="{service}",span_kind="SPAN_KIND_{kind}",span_name="{name}",'
        f'status_code="STATUS_CODE_{status}"}} 1.0'
        for service, kind, name, status in (
            ("standalone", "SERVER", f"{server}Search", "UNSET"),
            ("standalone", "SERVER", f"{server}Search", "ERROR"),
            ("standalone", "SERVER", f"{server}HybridSearch", "UNSET"),
            ("shop", "CLIENT", "search products", "UNSET"),
            ("shop", "CLIENT", "search products", "ERROR"),
        )
    }
    slow = f'service_name="standalone",span_kind="SPAN_KIND_SERVER",span_name="{server}HybridSearch"'
    name = "traces_span_metrics_duration_milliseconds"
    assert f'{name}_sum{{{slow},status_code="STATUS_CODE_UNSET"}} 2000.0' in text
    assert f'{name}_bucket{{le="1000.0",{slow},status_code="STATUS_CODE_UNSET"}} 0.0' in text


def test_requests_of_several_collections_and_errors_are_one_series_for_jaeger() -> None:
    others = [
        record(PRODUCTS._replace(collection=name, error_type=code), 0.05) for name in "abc" for code in ("1", "2")
    ]
    text = page(source(*others, server="standalone"))
    (line,) = [
        line for line in text.splitlines() if line.startswith('traces_span_metrics_calls_total{service_name="sta')
    ]
    assert line.endswith(" 6.0")


@pytest.mark.parametrize(
    "name", ['a"b', "a\nb", "a\\b", "ü" * 100, "x" * 10_000], ids=["quote", "newline", "backslash", "ü", "long"]
)
def test_hostile_names_come_back_as_they_are(name: str) -> None:
    def named(exponential: bool) -> Iterator[Family]:
        for family in source(record(PRODUCTS, 0.05))(exponential):
            points = [Point({**one.attributes, "db.collection.name": name}, one.value) for one in family.points]
            yield family._replace(points=points)

    text = page(named, OPEN_METRICS)
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    (family,) = [one for one in families if one.name == "milvus_request_duration_seconds"]
    assert {sample.labels["db_collection_name"] for sample in family.samples} == {name}

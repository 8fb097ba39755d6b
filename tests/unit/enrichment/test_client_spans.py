"""Each request's spans get what is known of that request."""

from collections import Counter

import pytest
from milvus_otel_processor.enrichment.enricher import Enricher
from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.telemetry.counters import Telemetry
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.clock import Clock
from tests.support.harness import enricher
from tests.support.spans import attributes_of, span, trace_of, with_more

SEARCH = {
    "db.system.name": "milvus",
    "db.namespace": "shop",
    "db.collection.name": "products",
    "db.operation.name": "search",
}
QUERY = SEARCH | {"db.collection.name": "articles", "db.operation.name": "query"}
TRACELOOP = {"db.system": "milvus", "db.operation": "search", "db.milvus.search.collection_name": "products"}
OPENLIT = {"db.system.name": "milvus", "db.operation.name": "SEARCH", "db.collection.name": "products"}


def built_in(counts: Counter[str]) -> Enricher:
    telemetry = Telemetry()
    telemetry.enriched_spans = counts
    return enricher(telemetry, Clock())


def enriched(*spans: Span) -> tuple[Trace, Counter[str]]:
    counts: Counter[str] = Counter()
    trace = trace_of(*spans)
    built_in(counts).enrich(trace)
    return trace, counts


def attributes(*spans: Span) -> list[dict[str, object]]:
    """The attributes of the spans, less the one that names the source, which no case here is about."""
    trace, _ = enriched(*spans)
    found = [attributes_of(one) for one in trace.spans]
    assert all(one.pop("milvus.enrichment", "client") == "client" for one in found)
    return found


def test_spans_below_a_request_get_what_its_span_says() -> None:
    found = attributes(span(1, 1, attributes=SEARCH), span(1, 2, 1), span(1, 3, 2))
    assert found == [SEARCH, SEARCH, SEARCH]


def test_the_order_of_arrival_changes_nothing() -> None:
    found = attributes(span(1, 3, 2), span(1, 2, 1), span(1, 1, attributes=SEARCH))
    assert found == [SEARCH, SEARCH, SEARCH]


def test_two_requests_on_two_collections_keep_theirs() -> None:
    found = attributes(
        span(1, 1, name="application"),
        span(1, 2, 1, attributes=SEARCH),
        span(1, 3, 1, attributes=QUERY),
        span(1, 4, 2),
        span(1, 5, 3),
        span(1, 6, 1, name="outside"),
    )
    assert found == [{}, SEARCH, QUERY, SEARCH, QUERY, {}]


def test_a_request_within_a_request_has_its_own() -> None:
    found = attributes(span(1, 1, attributes=SEARCH), span(1, 2, 1, attributes=QUERY), span(1, 3, 2), span(1, 4, 1))
    assert found == [SEARCH, QUERY, QUERY, SEARCH]


def test_a_span_whose_parent_did_not_arrive_belongs_to_none() -> None:
    assert attributes(span(1, 1, attributes=SEARCH), span(1, 3, 2)) == [SEARCH, {}]


def test_parents_in_a_circle_end() -> None:
    found = attributes(span(1, 1, attributes=SEARCH), span(1, 2, 3), span(1, 3, 2), span(1, 4, 4), span(1, 5, 4))
    assert found == [SEARCH, {}, {}, {}, {}]


def test_a_request_in_a_circle_is_still_a_request() -> None:
    assert attributes(span(1, 1, 2, attributes=SEARCH), span(1, 2, 1)) == [SEARCH, SEARCH]


def test_a_duplicated_span_is_enriched_like_its_twin() -> None:
    found = attributes(span(1, 1, attributes=SEARCH), span(1, 2, 1), span(1, 2, 1), span(1, 1, attributes=SEARCH))
    assert found == [SEARCH] * 4


@pytest.mark.parametrize("no_id", [b"", bytes(8)], ids=["empty", "zeros"])
def test_a_span_without_an_id_is_nobodys_parent(no_id: bytes) -> None:
    broken, root = span(1, 1, 9, attributes=SEARCH), span(1, 2)
    broken.span_id = no_id
    root.parent_span_id = no_id
    assert attributes(broken, root) == [SEARCH, {}]


def test_a_long_chain_is_no_problem() -> None:
    chain = [span(1, number + 1, number) for number in range(1, 3000)]
    found = attributes(*reversed(chain), span(1, 1, attributes=SEARCH))
    assert found == [SEARCH] * 3000


def test_an_attribute_that_is_there_is_not_overwritten() -> None:
    own = {"db.collection.name": "another", "db.system.name": "milvus-proxy"}
    found = attributes(span(1, 1, attributes=SEARCH), span(1, 2, 1, attributes=own))
    assert found[1] == SEARCH | own


def test_an_attribute_of_another_type_is_there_too() -> None:
    found = attributes(span(1, 1, attributes=SEARCH), span(1, 2, 1, attributes={"db.namespace": 7}))
    assert found[1] == SEARCH | {"db.namespace": 7}


def test_a_key_in_some_other_text_is_not_the_attribute() -> None:
    found = attributes(span(1, 1, attributes=SEARCH), span(1, 2, 1, name="db.collection.name"))
    assert found[1] == SEARCH


class TestWhoseAttributes:
    @pytest.mark.parametrize(
        ("written", "known"),
        [
            (TRACELOOP, SEARCH | {"db.namespace": None}),
            (OPENLIT, OPENLIT),
            ({"db.system": "milvus", "db.collection.name": "products"}, {"db.collection.name": "products"}),
        ],
        ids=["opentelemetry-instrumentation-milvus", "openlit", "only a collection"],
    )
    def test_each_instrumentations_keys_are_read(self, written: dict[str, str], known: dict[str, str | None]) -> None:
        expected = {"db.system.name": "milvus"} | {key: value for key, value in known.items() if value is not None}
        found = attributes(span(1, 1, attributes=written), span(1, 2, 1))
        assert found == [written | expected, expected]

    @pytest.mark.parametrize("operation", ["insert", "query", "delete", "upsert", "create_collection"])
    def test_the_collection_is_read_under_each_operation_of_traceloop(self, operation: str) -> None:
        written = {"db.system": "milvus", "db.operation": operation, f"db.milvus.{operation}.collection_name": "a"}
        assert attributes(span(1, 1, attributes=written), span(1, 2, 1))[1]["db.collection.name"] == "a"

    @pytest.mark.parametrize(
        "written",
        [
            {"db.system.name": "mongodb", "db.collection.name": "products"},
            {"db.system": "mongodb", "db.collection.name": "products"},
            {"db.collection.name": "products"},
            OPENLIT | {"db.collection.name": "unknown"},
            OPENLIT | {"db.collection.name": ""},
            {"db.system.name": "milvus", "db.collection.name": 7},
            {"db.system.name": "milvus", "x.collection_name": "products"},
        ],
        ids=repr,
    )
    def test_others_are_no_milvus_requests(self, written: dict[str, object]) -> None:
        assert attributes(span(1, 1, attributes=written), span(1, 2, 1)) == [written, {}]

    def test_an_operation_without_a_collection_gives_on_what_it_knows(self) -> None:
        known = {"db.system.name": "milvus", "db.operation.name": "list_collections"}
        assert attributes(span(1, 1, attributes=known), span(1, 2, 1)) == [known, known]

    def test_a_collection_may_have_any_text_for_a_name(self) -> None:
        known = SEARCH | {"db.collection.name": "größe_向量"}
        assert attributes(span(1, 1, attributes=known), span(1, 2, 1)) == [known, known]


class TestWhatIsCounted:
    def test_each_span_that_something_was_added_to(self) -> None:
        whole = SEARCH | {"milvus.enrichment": "client"}
        _, counts = enriched(span(1, 1, attributes=whole), span(1, 2, 1), span(1, 3, 9))
        assert counts == {"client": 1}

    def test_to_enrich_twice_adds_nothing(self) -> None:
        counts: Counter[str] = Counter()
        trace = trace_of(span(1, 1, attributes=TRACELOOP), span(1, 2, 1))
        built_in(counts).enrich(trace)
        once = list(trace.spans)
        built_in(counts).enrich(trace)
        assert trace.spans == once
        assert counts == {"client": 2}


class TestWhatALateSpanGets:
    def test_what_all_requests_of_the_trace_agree_on(self) -> None:
        common = built_in(Counter()).enrich(trace_of(span(1, 1, attributes=SEARCH), span(1, 2, attributes=SEARCH)))
        assert common is not None
        assert attributes_of(common.missing(b"")) == SEARCH | {"milvus.enrichment": "client"}

    def test_nothing_where_they_differ_or_there_are_none(self) -> None:
        assert built_in(Counter()).enrich(trace_of(span(1, 1, attributes=SEARCH), span(1, 2, attributes=QUERY))) is None
        assert built_in(Counter()).enrich(trace_of(span(1, 1))) is None
        assert built_in(Counter()).enrich(trace_of()) is None


def test_a_malformed_span_is_named_so_that_the_others_can_go_on() -> None:
    trace = with_more(trace_of(span(1, 1, attributes=SEARCH), span(1, 2, 1)), b"db.namespace\x4a\x7f")
    with pytest.raises(DecodeError):
        built_in(Counter()).enrich(trace)


def test_a_span_is_only_appended_to() -> None:
    before = span(1, 2, 1, attributes={"k": "v"}).SerializeToString()
    trace, _ = enriched(span(1, 1, attributes=SEARCH), span(1, 2, 1, attributes={"k": "v"}))
    assert trace.spans[1].startswith(before)
    assert trace.spans[0].startswith(span(1, 1, attributes=SEARCH).SerializeToString())

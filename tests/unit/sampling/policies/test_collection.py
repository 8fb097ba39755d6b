from __future__ import annotations

import pytest
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.spans.trace import ReferenceTrace

from tests.support.policies import samples
from tests.support.spans import span, trace_id, trace_of


def request(collection: object, namespace: str | None = None, system: str = "milvus") -> dict[str, object]:
    of_database = {"db.namespace": namespace} if namespace is not None else {}
    return {"db.system.name": system, "db.collection.name": collection, **of_database}


def sampled(*names: str, on: list[dict[str, object]], **settings: object) -> bool:
    spans = [span(1, 1), *(span(1, number + 2, 1, attributes=attributes) for number, attributes in enumerate(on))]
    return samples(trace_of(*spans), "collection", {"names": list(names), **settings})


def test_one_request_on_one_of_the_collections_is_enough() -> None:
    assert sampled("products", "articles", on=[request("users"), request("articles")])
    assert not sampled("products", "articles", on=[request("users"), request("products2")])


def test_a_trace_without_a_request_is_on_no_collection() -> None:
    assert not sampled("*", on=[])
    assert not samples(trace_of(), "collection", {"names": ["*"]})


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("tmp_*", "tmp_", True),
        ("tmp_*", "tmp_2024", True),
        ("tmp_*", "a_tmp_2024", False),
        ("*_v?", "products_v2", True),
        ("*_v?", "products_v", False),
        ("*_v?", "products_v10", False),
        ("a*c", "abbc", True),
        ("a*c", "abbcd", False),
        ("*", "向量", True),
        ("??", "向量", True),
        ("a.c*", "abc", False),
        ("a.c*", "a.c", True),
        ("$x [a-c]*", "$x [a-c]!", True),
        ("Products", "products", False),
        ("*", "line\nbreak", True),
    ],
)
def test_an_asterisk_is_any_text_and_a_question_mark_one_character(pattern: str, name: str, *, matches: bool) -> None:
    assert sampled(pattern, on=[request(name)]) == matches


def test_many_asterisks_do_not_stall() -> None:
    assert not sampled("*a" * 30 + "b", on=[request("a" * 255)])


def test_the_database_has_to_match_on_the_same_request() -> None:
    on = [request("products", "shop"), request("users", "crm")]
    assert sampled("products", on=on, database="shop")
    assert not sampled("products", on=on, database="crm")
    assert sampled("*", on=on, database="c?m")


def test_a_request_whose_database_is_not_known_is_in_none() -> None:
    assert sampled("products", on=[request("products")])
    assert not sampled("products", on=[request("products")], database="*")


def test_the_collection_of_another_database_system_does_not_count() -> None:
    assert not sampled("products", on=[request("products", system="mongodb")])
    assert not sampled("products", on=[{"db.collection.name": "products"}])
    assert sampled("products", on=[{"db.collection.name": "products", "db.system": "milvus"}])


def test_the_alias_that_a_request_used_is_a_name_too() -> None:
    aliased = {**request("products_v2"), "milvus.collection.alias": "products"}
    assert sampled("products", on=[aliased])
    assert sampled("products_v2", on=[aliased])
    assert not sampled("products_v1", on=[aliased])


def test_a_name_that_is_no_text_matches_no_name() -> None:
    assert not sampled("5", on=[request(["5"])])


def test_inverted_a_request_that_matches_is_enough_for_no() -> None:
    assert not sampled("products", on=[request("users"), request("products")], invert_match=True)
    assert sampled("products", on=[request("users")], invert_match=True)
    assert sampled("products", on=[], invert_match=True)


def test_the_order_of_the_spans_changes_nothing() -> None:
    on = [request("users"), request("products"), {}]
    assert sampled("products", on=on)
    assert sampled("products", on=on[::-1])


def test_a_malformed_span_is_no_answer() -> None:
    whole = trace_of(span(1, attributes=request("products")))
    broken = ReferenceTrace(trace_id(1), list(whole.groups), [whole.spans[0] + b"\x4a\x7f"])
    with pytest.raises(DecodeError):
        samples(broken, "collection", {"names": ["products"]})

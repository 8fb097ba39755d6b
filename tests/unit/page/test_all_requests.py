"""`/requests` says what is wrong with what is asked of it, and answers with rows."""

from typing import Any

import pytest
from milvus_otel_processor.page.all_requests import all_requests
from milvus_otel_processor.page.asked import ApiError, Asked

from tests.support.clock import Clock
from tests.support.request_records import Observed, record, series


def answer(**query: str) -> dict[str, Any]:
    windows = Observed(Clock())
    windows.observe(record(series("orders", "Search")))
    windows.observe(record(series("orders", "Query", error="100"), 0.5))
    windows.observe(record(series("users", "Query")))
    return all_requests(Asked({}, query), windows)


def test_without_a_word_it_is_five_minutes_by_collection_and_operation_what_takes_longest_first() -> None:
    found = answer()
    assert (found["minutes"], found["by"], found["sort"]) == (5, ["database", "collection", "operation"], "total_ms")
    assert [(row["collection"], row["operation"]) for row in found["rows"]] == [
        ("orders", "Query"),
        ("orders", "Search"),
        ("users", "Query"),
    ]


def test_keys_are_filters() -> None:
    found = answer(collection="orders", error_type="", by="operation", minutes="60", sort="requests", limit="1")
    assert [(row["operation"], row["requests"]) for row in found["rows"]] == [("Search", 1)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"minutes": "7"}, "minutes: '7', expected one of 1, 5, 60"),
        ({"sort": "age"}, "sort: 'age', expected one of total_ms, requests"),
        ({"by": "collection,colour"}, "by: 'colour', expected one or more of database, collection, operation"),
        ({"by": ""}, "by: '', expected"),
        ({"limit": "0"}, "limit: '0', expected a number from 1 to 10000"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_wrong_is_named_with_what_is_expected(query: dict[str, str], said: str) -> None:
    with pytest.raises(ApiError) as error:
        answer(**query)
    assert said in str(error.value)
    assert error.value.status == 400

"""Attributes out of arguments and results: by name, in a bounded number of steps."""

from __future__ import annotations

from typing import Any

import pytest
from milvus_otel_client import extractors
from milvus_otel_client.arguments import by_name, positional_names
from milvus_otel_client.target import server_attributes


class _Untouchable(list[Any]):
    """Has a length; looking into it fails the test."""

    def __iter__(self) -> Any:
        raise AssertionError("iterated")

    def __getitem__(self, _: Any) -> Any:
        raise AssertionError("indexed")

    def __repr__(self) -> str:
        raise AssertionError("printed")


class _Matrix:
    """As a scipy matrix: a shape, and no length."""

    shape = (7, 30_000)


def _method(self: object, collection_name: str, data: list[Any], *, limit: int = 10, **kwargs: Any) -> None: ...


def test_arguments_are_found_by_name_however_they_were_passed() -> None:
    names = positional_names(_method)
    expected = {"collection_name": "c", "data": [1], "limit": 3}
    assert names == ("collection_name", "data")
    assert by_name(names, ("c", [1]), {"limit": 3}) == expected
    assert by_name(names, (), {"data": [1], "collection_name": "c", "limit": 3}) == expected
    assert by_name(names, ("c",), {}) == {"collection_name": "c"}
    assert by_name(names, ("c", [1], "one too many"), {}) == {"collection_name": "c", "data": [1]}


@pytest.mark.parametrize(
    ("value", "found"),
    [(_Untouchable([1, 2, 3]), 3), (_Matrix(), 7), ([], 0), ((1, 2), 2), (5, 1), ("id", 1), (object(), None)],
)
def test_a_length_is_asked_for_and_nothing_else(value: Any, found: int | None) -> None:
    assert extractors.length(value) == found


@pytest.mark.parametrize(
    ("value", "found"), [(_Untouchable([1, 2]), 2), ([{}], None), ({"id": 1}, None), ([], None), (None, None)]
)
def test_a_batch_has_two_rows_at_least(value: Any, found: int | None) -> None:
    assert extractors.rows(value) == found


def test_hits_are_counted_without_looking_at_them() -> None:
    hits = [_Untouchable([1, 2, 3]), _Untouchable([]), _Untouchable([4])]
    assert extractors.returned_hits(hits) == 4
    assert extractors.returned_hits([]) == 0
    assert extractors.returned_hits(None) is None


def test_rows_are_counted_without_looking_at_them() -> None:
    assert extractors.returned_rows(_Untouchable([1, 2])) == 2


@pytest.mark.parametrize(
    ("level", "found"), [("Strong", "Strong"), (0, "Strong"), (2, "Bounded"), (9, None), (-1, None), (None, None)]
)
def test_a_consistency_level_is_named(level: Any, found: str | None) -> None:
    assert extractors.consistency_level(level) == found


def test_settings_are_found_at_both_places_where_pymilvus_takes_them() -> None:
    ef = extractors.settings({"ef": "milvus.ef"})

    def found_in(param: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        ef(param, found)
        return found

    assert found_in({"ef": 64}) == {"milvus.ef": 64}
    assert found_in({"params": {"ef": 32, "secret": "x"}}) == {"milvus.ef": 32}
    assert found_in({"params": None, "ef": [1]}) == found_in("ef") == found_in(None) == {}


def test_names_are_bounded_and_only_texts() -> None:
    assert extractors.names(["a", 1, "b"]) == ("a", "b")
    assert extractors.names("a") == ("a",)
    assert extractors.names([]) is extractors.names("") is None
    assert len(extractors.names(["p"] * 5000) or ()) == 64


@pytest.mark.parametrize(
    ("address", "attributes"),
    [
        ("localhost:19530", {"server.address": "localhost", "server.port": 19530}),
        ("[::1]:19530", {"server.address": "::1", "server.port": 19530}),
        ("in01.zillizcloud.com", {"server.address": "in01.zillizcloud.com"}),
        ("unix:/tmp/milvus.sock", {"server.address": "/tmp/milvus.sock"}),
        ("", {}),
    ],
)
def test_an_address_is_taken_apart(address: str, attributes: dict[str, Any]) -> None:
    assert server_attributes(address) == attributes

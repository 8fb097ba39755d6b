"""A hint is given where one stage took most of the time, and nowhere else."""

import pytest
from milvus_otel_processor.requests.hints import HINTS, LEAST_SECONDS, OTHER, QUERY, SEARCH, WRITES, hint, kind_of
from milvus_otel_processor.requests.record import STAGES, UNEXPLAINED

from tests.support.request_records import times


def test_the_wait_for_the_newest_writes_is_told() -> None:
    assert "Bounded" in str(hint("Search", times(wait=0.186, core=0.004)))


@pytest.mark.parametrize(
    "spent",
    [
        times(),
        times(wait=0.1, core=0.1),
        times(wait=0.05, core=0.03, queue=0.03),
        times(wait=0.99 * LEAST_SECONDS),
        times(unexplained=1.0),
    ],
    ids=["nothing", "half each", "less than half", "too short to matter", "not explained"],
)
def test_where_no_stage_stands_out_nothing_is_said(spent: tuple[float, ...]) -> None:
    assert hint("Search", spent) is None


def test_what_the_caller_waited_outside_milvus_counts_too() -> None:
    assert "outside Milvus" in str(hint("Search", times(client=0.2, wait=0.1)))
    assert hint("Search", times(client=0.1, wait=0.1)) is None


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("Search", SEARCH),
        ("hybrid_search", SEARCH),
        ("HybridSearch", SEARCH),
        ("Query", QUERY),
        ("Upsert", WRITES),
        ("CreateCollection", OTHER),
        ("", OTHER),
        ("x" * 10_000, OTHER),
    ],
    ids=lambda value: value[:20],
)
def test_operations_are_known_by_milvus_names_and_by_those_of_pymilvus(operation: str, kind: str) -> None:
    assert kind_of(operation) == kind


def test_a_search_and_an_insert_are_told_different_things() -> None:
    spent = times(wait=0.2)
    assert hint("Search", spent) != hint("Delete", spent)
    assert hint("CreateCollection", spent) is None


def test_every_stage_that_a_search_can_spend_its_time_in_has_a_hint_but_what_nothing_explains() -> None:
    assert {stage for stage, kind in HINTS if kind == SEARCH} == set(STAGES) - {UNEXPLAINED, "write"}


def test_a_hint_is_short_enough_to_be_read() -> None:
    assert max(map(len, HINTS.values())) < 300

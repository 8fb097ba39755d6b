from __future__ import annotations

from tests.support.policies import samples
from tests.support.spans import span, trace_of

MISSING: dict[str, object] = {"db.system.name": "milvus", "db.response.status_code": "100"}


def sampled(*codes: int, on: list[dict[str, object]]) -> bool:
    spans = [span(1, 1), *(span(1, number + 2, 1, attributes=attributes) for number, attributes in enumerate(on))]
    return samples(trace_of(*spans), "milvus_error", {"codes": list(codes)} if codes else None)


def test_one_request_that_failed_with_one_of_the_codes_is_enough() -> None:
    assert sampled(100, 1100, on=[{}, MISSING])
    assert not sampled(1100, 10, 1, on=[MISSING])


def test_without_codes_every_failed_request_counts() -> None:
    assert sampled(on=[MISSING])
    assert not sampled(on=[{}, {"db.system.name": "milvus"}])


def test_a_code_may_be_a_number() -> None:
    assert sampled(100, on=[{**MISSING, "db.response.status_code": 100}])
    assert sampled(on=[{**MISSING, "db.response.status_code": -1}])


def test_a_request_that_succeeded_is_no_error() -> None:
    for code in ("0", 0):
        assert not sampled(on=[{**MISSING, "db.response.status_code": code}])


def test_an_error_without_a_code_counts_where_no_code_is_asked_for() -> None:
    unreachable: dict[str, object] = {"db.system.name": "milvus", "error.type": "MilvusUnavailableException"}
    assert sampled(on=[unreachable])
    assert not sampled(100, on=[unreachable])


def test_the_error_of_another_database_does_not_count() -> None:
    assert not sampled(on=[{"db.system.name": "postgresql", "db.response.status_code": "100"}])
    assert not sampled(100, on=[{"db.response.status_code": "100"}])
    assert not sampled(on=[{"error.type": "timeout"}])


def test_an_empty_trace_has_no_error() -> None:
    assert not samples(trace_of(), "milvus_error")

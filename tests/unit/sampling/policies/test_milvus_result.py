from __future__ import annotations

from milvus_otel_processor.sampling.hints.reads import Reads

from tests.support.policies import evaluator, samples
from tests.support.spans import span, trace_of

EMPTY: dict[str, object] = {
    "db.system.name": "milvus",
    "db.response.returned_rows": 0,
    "db.collection.name": "products",
}


def sampled(*rows: object, **settings: object) -> bool:
    on = [{**EMPTY, "db.response.returned_rows": number} for number in rows]
    spans = [span(1, 1), *(span(1, number + 2, 1, attributes=attributes) for number, attributes in enumerate(on))]
    return samples(trace_of(*spans), "milvus_result", settings)


def test_an_answer_without_a_row_is_sampled() -> None:
    assert sampled(0)
    assert not sampled(1, 10)
    assert sampled(10, 0)


def test_few_rows_can_be_asked_for() -> None:
    assert sampled(3, max_rows=3)
    assert not sampled(4, max_rows=3)


def test_what_does_not_say_a_number_is_not_taken_for_0() -> None:
    assert not samples(trace_of(span(1, 1)), "milvus_result")
    assert not sampled("none", True, 0.0)
    assert not sampled(-1)


def test_the_rows_of_another_database_do_not_count() -> None:
    other = span(1, 2, 1, attributes={**EMPTY, "db.system.name": "postgresql"})
    assert not samples(trace_of(span(1, 1), other), "milvus_result")


def test_it_can_be_sampled_early_and_reads_no_enrichment() -> None:
    found = evaluator("milvus_result")
    assert found.lasting
    assert found.reads is Reads.NOTHING

"""Which attributes of spans conditions read: enrichment goes in front of the rules only where one may read what it writes."""

from __future__ import annotations

import pytest
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.ottl.reads import span_attributes
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK
from milvus_otel_processor.sampling.policies.ottl_condition import OttlCondition, OttlConditionSettings


def _evaluator(*conditions: str, context: str = "span") -> OttlCondition:
    return OttlCondition(OttlConditionSettings.model_validate({context: list(conditions)}), SYSTEM_CLOCK)


@pytest.mark.parametrize(
    ("condition", "context", "keys"),
    [
        ('attributes["a"] == 1 and not (span.attributes["b"]["c"] != nil)', "span", ["a", "b"]),
        ('attributes["a"] == 1', "spanevent", []),
        ('span.attributes["a"] == 1', "spanevent", ["a"]),
        ('resource.attributes["a"] == 1 or name == "b"', "span", []),
        ("Len(attributes) > 3", "span", [None]),
        ('attributes[Concat(["milvus", "time"], ".")] != nil', "span", [None]),
        ('attributes["\\x6dilvus.time.wait_ms"] > 3', "span", ["milvus.time.wait_ms"]),
    ],
)
def test_the_keys_are_those_that_stand_in_the_text(condition: str, context: str, keys: list[str | None]) -> None:
    assert list(span_attributes(condition, context)) == keys


@pytest.mark.parametrize(
    ("conditions", "reads"),
    [
        (['name == "a"', 'attributes["http.route"] != nil'], Reads.NOTHING),
        (['attributes["db.collection.name"] == "a"'], Reads.FACTS),
        (['attributes["a"] == "b"', 'attributes["milvus.time.wait_ms"] > 200'], Reads.TIMES),
        (["Len(attributes) > 3"], Reads.TIMES),
    ],
)
def test_a_policy_says_what_it_reads_of_what_enrichment_writes(conditions: list[str], reads: Reads) -> None:
    assert _evaluator(*conditions).reads is reads


def test_a_condition_about_events_reads_nothing_of_its_span_by_the_same_words() -> None:
    found = _evaluator('attributes["milvus.time.wait_ms"] > 200', context="spanevent")
    assert found.reads is Reads.NOTHING

"""What the Collector starts with and we refuse at the start: it can only be a mistake, and there it shows late or never."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.differential.blocks import condition_alone
from tests.differential.compare import kept_by_collector, kept_by_us
from tests.differential.traces import requests
from tests.support.harness import sampling

MISTAKES = {
    "a policy without its block": {"type": "latency"},
    "a string_attribute without a key": {"type": "string_attribute", "string_attribute": {"values": ["a"]}},
    "a numeric_attribute without a bound": {"type": "numeric_attribute", "numeric_attribute": {"key": "k"}},
    "a key that nobody knows": {"type": "latency", "latency": {"threshold_ms": 1}, "lateny": {"threshold_ms": 5}},
    "an and of nothing": {"type": "and", "and": {"and_sub_policy": []}},
    "a drop of nothing": {"type": "drop", "drop": {"drop_sub_policy": []}},
}


SAYS_NOTHING = [
    ("span", "status == nil", False),
    ("span", "status != nil", True),
    ("span", 'status == "x"', False),
    ("span", 'cache["name"] == nil', True),
    ("span", "otelcol.client.addr == nil", True),
    ("span", 'otelcol.client.metadata["name"] == nil', True),
    ("span", 'otelcol.grpc.metadata["user-agent"] == nil', True),
    ("spanevent", "event_index >= 0", False),
    ("spanevent", "event_index < 1", False),
    ("spanevent", "event_index == nil", False),
    ("spanevent", "span.status != nil", True),
    ("spanevent", 'cache["name"] == nil', True),
]
"""Conditions on paths that the Collector knows, and what it answers for every span and every event."""


def test_a_path_that_says_the_same_of_every_span_is_refused_here(tmp_path: Path) -> None:
    sent = requests(1, 50)
    with_one = {
        context: kept_by_us(condition_alone(context, "true", "ignore"), sent) for context in ("span", "spanevent")
    }
    assert 0 < len(with_one["spanevent"]) < len(with_one["span"]) == 50
    configurations = [condition_alone(context, condition, "ignore") for context, condition, _ in SAYS_NOTHING]
    theirs = kept_by_collector(configurations, sent, tmp_path)
    for (context, condition, answer), block, kept in zip(SAYS_NOTHING, configurations, theirs, strict=True):
        assert kept == (with_one[context] if answer else {}), condition
        with pytest.raises(ValidationError, match=r" as a whole | is empty| is not set "):
            sampling(*block)


@pytest.mark.parametrize("policy", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_that_the_collector_starts_with_is_refused_here(policy: dict[str, object], tmp_path: Path) -> None:
    block = [{"name": "policy", **policy}]
    assert kept_by_collector([block], [], tmp_path) == [{}]
    with pytest.raises(ValidationError):
        sampling(*block)

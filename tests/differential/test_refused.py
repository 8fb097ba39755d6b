"""What the Collector starts with and we refuse at the start: it can only be a mistake, and there it shows late or never."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.differential.compare import kept_by_collector
from tests.support.harness import sampling

MISTAKES = {
    "a policy without its block": {"type": "latency"},
    "a string_attribute without a key": {"type": "string_attribute", "string_attribute": {"values": ["a"]}},
    "a numeric_attribute without a bound": {"type": "numeric_attribute", "numeric_attribute": {"key": "k"}},
    "a key that nobody knows": {"type": "latency", "latency": {"threshold_ms": 1}, "lateny": {"threshold_ms": 5}},
    "an and of nothing": {"type": "and", "and": {"and_sub_policy": []}},
    "a drop of nothing": {"type": "drop", "drop": {"drop_sub_policy": []}},
}


@pytest.mark.parametrize("policy", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_that_the_collector_starts_with_is_refused_here(policy: dict[str, object], tmp_path: Path) -> None:
    block = [{"name": "policy", **policy}]
    assert kept_by_collector([block], [], tmp_path) == [{}]
    with pytest.raises(ValidationError):
        sampling(*block)

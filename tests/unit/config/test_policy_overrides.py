"""`--policy NAME.key=value`: one value of one policy, without its whole list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.config import ConfigError, load_config

if TYPE_CHECKING:
    from pathlib import Path

RULES = """\
policies:
  - {name: slow, type: latency, latency: {threshold_ms: 1000}}
  - {name: slow.er, type: latency, latency: {threshold_ms: 5000}}
  - name: both
    type: and
    and:
      and_sub_policy:
        - {name: part, type: span_name, span_name: {names: [a, b]}}
        - {name: slow, type: latency, latency: {threshold_ms: 1}}
  - {name: share, type: probabilistic, probabilistic: {sampling_percentage: 1}}
"""


@pytest.fixture
def policies(tmp_path: Path) -> Any:
    file = tmp_path / "sampling.yaml"
    file.write_text(RULES)

    def load(*arguments: str) -> Any:
        config = load_config(file, policy_overrides=arguments, environ={"LIMIT": "7"}, rules_alone=True).config
        assert config.tail_sampling is not None
        return config.tail_sampling.policies

    return load


def test_a_key_is_one_of_the_block_of_the_policys_type(policies: Any) -> None:
    assert policies("slow.threshold_ms=200")[0].latency.threshold_ms == 200
    assert policies("slow.latency.threshold_ms=200")[0].latency.threshold_ms == 200
    assert policies("slow.mode=shadow")[0].mode == "shadow"
    assert policies("share.sampling_percentage=12.5")[3].probabilistic.sampling_percentage == 12.5


def test_the_longest_name_counts_and_one_outside_goes_before_one_inside(policies: Any) -> None:
    changed = policies("slow.er.threshold_ms=2", "slow.threshold_ms=3")
    assert (changed[0].latency.threshold_ms, changed[1].latency.threshold_ms) == (3, 2)
    inside = changed[2].model_dump(by_alias=True)["and"]["and_sub_policy"]
    assert inside[1]["latency"]["threshold_ms"] == 1


def test_a_policy_inside_of_another_can_be_named_and_lists_are_replaced(policies: Any) -> None:
    changed = policies("part.names=[c]")[2].model_dump(by_alias=True)
    assert changed["and"]["and_sub_policy"][0]["span_name"]["names"] == ["c"]


def test_values_are_yaml_with_variables(policies: Any) -> None:
    assert policies("slow.threshold_ms=${env:LIMIT}")[0].latency.threshold_ms == 7


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "slw.threshold_ms=1",
            'there is no policy "slw", expected one of slow, slow.er, both, part, share; did you mean "slow"?',
        ),
        ("slow.threshold_ms", "--policy slow.threshold_ms: has no value, expected --policy NAME.key=value"),
        ("slow.=1", "--policy slow.: has an empty key, expected --policy NAME.key=value"),
        ("slow.treshold_ms=1", 'did you mean "threshold_ms"?'),
        ("slow.threshold_ms=soon", '"soon" is a string, expected a whole number'),
        ("slow=1", '--policy slow: there is no policy "slow"'),
    ],
)
def test_what_is_wrong_is_said_with_what_there_is(policies: Any, argument: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        policies(argument)
    assert message in str(raised.value)

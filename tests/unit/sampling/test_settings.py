"""Everything that the Collector's block may hold is taken, and what means nothing here is said."""

import pytest
from pydantic import ValidationError

from tests.support.harness import ALWAYS, ERRORS, sampling
from tests.support.policies import entry

EVERY_POLICY = [
    entry("always_sample", name="always_sample"),
    entry("latency", {"threshold_ms": 5, "upper_threshold_ms": 10}, "latency"),
    entry("numeric_attribute", {"key": "k", "min_value": 1, "max_value": 2, "invert_match": True}, "numeric"),
    entry("probabilistic", {"sampling_percentage": 10, "hash_salt": "salt"}, "probabilistic"),
    entry("status_code", {"status_codes": ["OK", "ERROR", "UNSET"]}, "status_code"),
    entry(
        "string_attribute",
        {"key": "k", "values": ["a"], "enabled_regex_matching": True, "cache_max_size": 10, "invert_match": True},
        "string",
    ),
    entry("trace_state", {"key": "k", "values": ["a"]}, "trace_state"),
    entry("trace_flags", name="trace_flags"),
    entry("rate_limiting", {"spans_per_second": 1, "burst_capacity": 2}, "rate"),
    entry("bytes_limiting", {"bytes_per_second": 1, "burst_capacity": 2}, "bytes"),
    entry("span_count", {"min_spans": 1, "max_spans": 2}, "span_count"),
    entry("boolean_attribute", {"key": "k", "value": True, "invert_match": True}, "boolean"),
    entry("ottl_condition", {"error_mode": "ignore", "span": ["true"], "spanevent": ["true"]}, "ottl"),
    entry("and", {"and_sub_policy": [entry("not", {"not_sub_policy": ALWAYS}), ALWAYS]}, "and"),
    entry("not", {"not_sub_policy": ALWAYS}, "not"),
    entry("drop", {"drop_sub_policy": [entry("not", {"not_sub_policy": ALWAYS})]}, "drop"),
    entry(
        "composite",
        {
            "max_total_spans_per_second": 100,
            "policy_order": ["everything"],
            "composite_sub_policy": [ALWAYS],
            "rate_allocation": [{"policy": "everything", "percent": 50}],
        },
        "composite",
    ),
]


def test_every_policy_and_every_setting_of_the_collector_is_taken() -> None:
    block = sampling(
        *EVERY_POLICY,
        decision_wait="10s",
        decision_wait_after_root_received="1s",
        num_traces=100,
        decision_cache={"sampled_cache_size": 10, "non_sampled_cache_size": 10},
        sample_on_first_match=True,
        sampling_strategy="trace-complete",
        drop_pending_traces_on_shutdown=True,
        maximum_trace_size_bytes=1000,
    )
    assert [policy.name for policy in block.policies] == [policy["name"] for policy in EVERY_POLICY]
    assert [note for note in block.notes() if "is ignored" in note or "is not looked at" in note] == []


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"block_on_overflow": True}, "block_on_overflow"),
        ({"expected_new_traces_per_sec": 10}, "expected_new_traces_per_sec"),
        ({"sampling_strategy": "span-ingest"}, "sampling_strategy"),
        ({"num_shards": 4}, "num_shards"),
    ],
)
def test_what_means_nothing_here_is_noted(settings: dict[str, object], key: str) -> None:
    (note,) = sampling(**settings).notes()
    assert note.startswith(f"{key}: ")
    assert "is ignored" in note


def test_a_block_of_another_type_is_not_looked_at_as_in_the_collector_and_noted() -> None:
    stray = ERRORS | {"latency": {"threshold_ms": 5}, "span_name": {"names": ["a"]}}
    block = sampling(entry("and", {"and_sub_policy": [stray]}, "outer"))
    assert block.notes() == [
        "policies[0].and.and_sub_policy[0].latency: is not looked at, the type is status_code",
        "policies[0].and.and_sub_policy[0].span_name: is not looked at, the type is status_code",
    ]


def test_a_key_that_nobody_knows_is_refused_in_a_policy_too() -> None:
    with pytest.raises(ValidationError, match="latencyy"):
        sampling(ALWAYS | {"latencyy": {}})


def test_a_policy_without_a_name_is_refused_at_the_top_alone() -> None:
    with pytest.raises(ValidationError, match="policy name cannot be empty"):
        sampling({"type": "always_sample"})
    sampling(entry("and", {"and_sub_policy": [{"type": "always_sample"}]}))


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(ValidationError, match="'trace-complete' or 'span-ingest'"):
        sampling(sampling_strategy="eager")

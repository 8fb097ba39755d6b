"""What is remembered of decisions counts, as far as it is remembered."""

from milvus_otel_processor.memory.decisions import decision_memory
from milvus_otel_processor.sampling.settings import DecisionCacheSettings
from milvus_otel_processor.telemetry.instruments import Amount

CACHE = DecisionCacheSettings(sampled_cache_size=10, non_sampled_cache_size=20)


def test_nothing_decided_takes_nothing() -> None:
    assert decision_memory({}, CACHE) == 0


def test_each_decision_counts_until_the_cache_is_full() -> None:
    few = {("sampled", "a"): Amount(2, 9), ("sampled", "b"): Amount(1, 1), ("dropped", "c"): Amount(5, 5)}
    assert decision_memory(few, CACHE) == 3 * 300 + 5 * 120
    many = {("sampled", "a"): Amount(8), ("sampled", "b"): Amount(8), ("not_sampled", ""): Amount(1000)}
    assert decision_memory(many, CACHE) == 10 * 300 + 20 * 120


def test_what_is_lost_is_not_remembered() -> None:
    assert decision_memory({("failed", ""): Amount(5), ("malformed", ""): Amount(5)}, CACHE) == 0


def test_a_cache_that_is_off_takes_nothing() -> None:
    off = DecisionCacheSettings(sampled_cache_size=0, non_sampled_cache_size=0)
    assert decision_memory({("sampled", "a"): Amount(8)}, off) == 0

import pytest
from milvus_otel_processor.spans.decision_cache import DecisionCache


def ids(*numbers: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in numbers]


def test_what_was_put_is_known_and_nothing_else() -> None:
    cache: DecisionCache[str, int] = DecisionCache(10, 10)
    one, two, three = ids(1, 2, 3)
    cache.put_sampled(one, "kept")
    cache.put_not_sampled(two, 0)
    assert (cache.get(one), cache.get(two), cache.get(three)) == ("kept", 0, None)


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_the_newest_are_known_and_the_oldest_forgotten_in_each_kind_by_itself(size: int) -> None:
    cache: DecisionCache[str, int] = DecisionCache(size, 100)
    for one in ids(*range(100)):
        cache.put_sampled(one, "kept")
    for one in ids(*range(1000, 1050)):
        cache.put_not_sampled(one, 1)
    assert len(cache) == size + 50
    assert [cache.get(one) for one in ids(*range(100 - size, 100))] == ["kept"] * size
    assert cache.get(ids(100 - size - 1)[0]) is None
    assert cache.get(ids(1000)[0]) == 1


def test_with_a_size_of_zero_nothing_is_remembered() -> None:
    cache: DecisionCache[str, int] = DecisionCache(0, 1)
    cache.put_sampled(ids(1)[0], "kept")
    cache.put_not_sampled(ids(2)[0], 1)
    assert (cache.get(ids(1)[0]), cache.get(ids(2)[0])) == (None, 1)

"""The expected numbers were computed with Go's hash/fnv and math/big, which the Collector uses."""

import pytest
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies.probabilistic import Probabilistic, ProbabilisticSettings, threshold
from milvus_otel_processor.spans.fnv import fnv1a

from tests.support.policies import samples
from tests.support.spans import span, trace_of, with_id

HASHES = [
    ("default-hash-seed", "00000000000000000000000000000001", 0xE19535EED1BBAA8A),
    ("default-hash-seed", "0af7651916cd43dd8448eb211c80319c", 0x33BF83D45F51634C),
    ("default-hash-seed", "ffffffffffffffffffffffffffffffff", 0x17BEC3739634FE2D),
    ("default-hash-seed", "4bf92f3577b34da6a3ce929d0e0e4736", 0xA54533BA2E4970B5),
    ("salt", "0af7651916cd43dd8448eb211c80319c", 0xDB07DF0E45E98300),
    ("salt", "4bf92f3577b34da6a3ce929d0e0e4736", 0xAD8863FCE094F3F1),
    ("Grüße", "00000000000000000000000000000001", 0x0010E3B643FA206B),
    ("Grüße", "0af7651916cd43dd8448eb211c80319c", 0xA2FAAEC1242B66A9),
]
THRESHOLDS = [
    (0, 0),
    (0.001, 184467440737095),
    (0.1, 18446744073709551),
    (1, 184467440737095519),
    (10, 1844674407370955263),
    (12.5, 2305843009213693951),
    (25, 4611686018427387903),
    (33.3, 6142765776545279999),
    (50, 9223372036854775807),
    (66.6, 12285531553090559999),
    (75, 13835058055282163711),
    (90, 16602069666338596863),
    (99, 18262276632972455935),
    (99.9, 18428297329635844095),
    (99.99999999999999, 18446744073709549567),
    (100, 18446744073709551615),
    (150, 18446744073709551615),
    (-5, 0),
]


@pytest.mark.parametrize(("salt", "trace_id", "expected"), HASHES)
def test_the_hash_is_the_collectors(salt: str, trace_id: str, expected: int) -> None:
    assert fnv1a(salt.encode() + bytes.fromhex(trace_id)) == expected
    assert fnv1a(bytes.fromhex(trace_id), fnv1a(salt.encode())) == expected


@pytest.mark.parametrize(("percentage", "expected"), THRESHOLDS)
def test_the_threshold_is_the_collectors(percentage: float, expected: int) -> None:
    assert threshold(percentage / 100) == expected


@pytest.mark.parametrize(("salt", "trace_id", "hash_"), HASHES)
@pytest.mark.parametrize("percentage", [1, 10, 25, 50, 75, 90])
def test_a_trace_is_sampled_when_its_hash_is_not_above_the_threshold(
    salt: str, trace_id: str, hash_: int, percentage: int
) -> None:
    trace = with_id(trace_of(span()), bytes.fromhex(trace_id))
    settings = {"sampling_percentage": percentage, "hash_salt": "" if salt == "default-hash-seed" else salt}
    assert samples(trace, "probabilistic", settings) is (hash_ <= dict(THRESHOLDS)[percentage])


def test_a_hash_that_is_the_threshold_is_sampled() -> None:
    trace = trace_of(span())
    policy = Probabilistic(ProbabilisticSettings(sampling_percentage=50))
    for above, decision in ((0, Decision.SAMPLED), (1, Decision.NOT_SAMPLED)):
        policy._threshold = fnv1a(b"default-hash-seed" + trace.id) - above
        assert policy.evaluate(trace) is decision


def test_none_of_a_hundred_and_all_of_them() -> None:
    for number in range(1, 200):
        trace = with_id(trace_of(span(number)), number.to_bytes(16, "big"))
        assert not samples(trace, "probabilistic", {"sampling_percentage": 0})
        assert samples(trace, "probabilistic", {"sampling_percentage": 100})


def test_the_share_is_about_what_was_asked_for() -> None:
    kept = 0
    for number in range(2000):
        trace_id = (number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)).to_bytes(16, "big")
        trace = with_id(trace_of(), trace_id)
        kept += samples(trace, "probabilistic", {"sampling_percentage": 10})
    assert 140 < kept < 260

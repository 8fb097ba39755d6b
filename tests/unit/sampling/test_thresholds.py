from __future__ import annotations

from random import Random

import pytest
from milvus_otel_processor.sampling.thresholds import (
    ALWAYS,
    NEVER,
    of_probability,
    of_text,
    probability,
    randomness_of_id,
    randomness_of_text,
    to_text,
)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1, b"0"),
        (0.5, b"8"),
        (0.25, b"c"),
        (0.75, b"4"),
        (1 / 16, b"f"),
        # as the Collector's pkg/sampling v0.158 has them
        (0.1, b"e6666666666666"),
        (1 / 3, b"aaaaaaaaaaaaac"),
        (0.01, b"fd70a3d70a3d71"),
        (0.0644, b"ef837b4a2339c1"),
        (0.1221, b"e0be0ded288ce7"),
        (2.0**-56, b"ffffffffffffff"),
    ],
)
def test_a_probability_has_a_threshold_and_a_text(ratio: float, text: bytes) -> None:
    assert to_text(of_probability(ratio)) == text
    assert of_text(text) == of_probability(ratio)
    assert probability(of_probability(ratio)) == pytest.approx(ratio)


def test_probabilities_beyond_the_ends_are_the_ends() -> None:
    assert of_probability(1.5) == ALWAYS
    assert of_probability(0) == of_probability(-1) == of_probability(2.0**-57) == NEVER


def test_every_threshold_is_read_back() -> None:
    random = Random(5)
    for _ in range(1000):
        threshold = random.randrange(NEVER) >> random.randrange(56)
        assert of_text(to_text(threshold)) == threshold


@pytest.mark.parametrize("text", [b"", b"g", b"0x8", b"8 ", b"_8", b"123456789abcdef"])
def test_what_is_no_threshold_is_none(text: bytes) -> None:
    assert of_text(text) is None


@pytest.mark.parametrize("text", [b"", b"8", b"123456789abcdef", b"123456789abcdg"])
def test_what_is_no_random_number_is_none(text: bytes) -> None:
    assert randomness_of_text(text) is None


def test_random_numbers_are_14_digits_or_the_end_of_a_trace_id() -> None:
    assert randomness_of_text(b"0000000000000a") == 10
    assert randomness_of_id(bytes(8) + b"\xff" + b"\x00" * 6 + b"\x0a") == 10
    assert randomness_of_id(b"\xff" * 16) == NEVER - 1

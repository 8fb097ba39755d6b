"""Probabilities as OpenTelemetry's sampling thresholds: how many of 2**56 equally likely numbers are not sampled.

https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
"""

from __future__ import annotations

DIGITS = 14
"""Hexadecimal digits of a threshold and of a random number."""
ALWAYS, NEVER = 0, 1 << (4 * DIGITS)
"""The thresholds of the probabilities 1 and 0."""
UNKNOWN = -1
"""In place of a threshold: sampled, but nobody can tell with which probability."""

_RANDOM_BYTES = 7


def of_probability(probability: float) -> int:
    """Return the threshold of a probability, rounded as the Collector does (pkg/sampling/probability.go, v0.158)."""
    if probability >= 1:
        return ALWAYS
    scaled = probability * NEVER
    whole = int(scaled)
    return NEVER - (whole + (scaled - whole >= 0.5)) if whole > 0 else NEVER


def probability(threshold: int) -> float:
    """Return the probability that a threshold stands for."""
    return (NEVER - threshold) / NEVER


def to_text(threshold: int) -> bytes:
    """Return a threshold as the value of `th`: hexadecimal, without the zeros at the end."""
    return (f"{threshold:0{DIGITS}x}".rstrip("0") or "0").encode()


def of_text(text: bytes) -> int | None:
    """Return the threshold that a value of `th` says, or None where it is not valid."""
    return int(text, 16) << 4 * (DIGITS - len(text)) if 0 < len(text) <= DIGITS and _is_hex(text) else None


def randomness_of_text(text: bytes) -> int | None:
    """Return the random number that a value of `rv` says, or None where it is not valid."""
    return int(text, 16) if len(text) == DIGITS and _is_hex(text) else None


def randomness_of_id(trace_id: bytes) -> int:
    """Return the random number in a trace id: its last 56 bits, as W3C's Trace Context Level 2 has it."""
    return int.from_bytes(trace_id[-_RANDOM_BYTES:], "big")


def _is_hex(text: bytes) -> bool:
    return not text.strip(b"0123456789abcdefABCDEF")

"""The hash that `probabilistic` chooses traces by, and that OTTL calls FNV."""

from __future__ import annotations

_OFFSET, _PRIME = 0xCBF29CE484222325, 0x100000001B3
_MAX_UINT64 = (1 << 64) - 1


def fnv1a(data: bytes, basis: int = _OFFSET) -> int:
    """Return the 64-bit FNV-1a hash of the data, going on from `basis`, the hash of what comes before it."""
    # Two bytes a turn: neither operation takes anything from the bits above, so they can be cut off every other time.
    for first, second in zip(data[::2], data[1::2], strict=False):
        basis = ((basis ^ first) * _PRIME ^ second) * _PRIME & _MAX_UINT64
    return (basis ^ data[-1]) * _PRIME & _MAX_UINT64 if len(data) % 2 else basis

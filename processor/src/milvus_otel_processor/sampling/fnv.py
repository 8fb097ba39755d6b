"""The hash that `probabilistic` chooses traces by, and that OTTL calls FNV."""

from __future__ import annotations

_OFFSET, _PRIME = 0xCBF29CE484222325, 0x100000001B3
_MAX_UINT64 = (1 << 64) - 1


def fnv1a(data: bytes, basis: int = _OFFSET) -> int:
    """Return the 64-bit FNV-1a hash of the data, going on from `basis`, the hash of what comes before it."""
    for byte in data:
        basis = (basis ^ byte) * _PRIME & _MAX_UINT64
    return basis

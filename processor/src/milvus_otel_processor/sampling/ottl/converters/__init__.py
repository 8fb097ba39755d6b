"""The converters, by what they are about, and here the list of them all.

Each does what its namesake in pkg/ottl/ottlfuncs, v0.158, does; the docstrings say only what a reader might not expect.
"""

from __future__ import annotations

from milvus_otel_processor.sampling.ottl.converters import hashes, lists, strings, times, types
from milvus_otel_processor.sampling.ottl.converters.base import Converter

CONVERTERS: dict[str, Converter] = {
    **types.CONVERTERS,
    **strings.CONVERTERS,
    **lists.CONVERTERS,
    **times.CONVERTERS,
    **hashes.CONVERTERS,
}
"""Every converter by its name in OTTL."""

__all__ = ["CONVERTERS", "Converter"]

"""All that is kept from call to call, filled with the longest that it takes: below 4 MiB."""

from __future__ import annotations

import gc
import tracemalloc

from milvus_otel_client import identity, private, sanitizer
from milvus_otel_client.errors import _is_milvus_exception

_WIDE = "\N{MUSICAL SYMBOL G CLEF}"
"""A character of four bytes."""


def _clear() -> None:
    sanitizer._kept.clear()
    for cached in (identity.identity_of, private._without_short_filter, private._words_beyond_milvus):
        cached.cache_clear()


def test_what_is_kept_is_below_4_mebibytes_however_long_the_texts_and_however_many() -> None:
    _clear()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2000):
            name = f"c{number:0254d}"
            identity.identity_of("search", name, f"d{number:0254d}", f"{number:0248d}:19530")
            sanitizer.without_literals(f"x == '{number}{_WIDE * 240}'")
            sanitizer.without_literals(f"x in [{number}, {'1, ' * 100_000}]")
            words = " ".join(f"{_WIDE}{number}{word}" for word in range(40))
            private.without_private(f"{words}"[:256], {"expression": f"{words}"[:256]})
            private.is_milvus_own(f"{number}{' '.join(map(chr, range(0x10000, 0x10080)))}"[:256], frozenset())
            private.without_private("x" * 100_000 + str(number), {"expression": "y" * 100_000})
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        _clear()
    assert 100_000 < kept < 4 << 20
    assert _is_milvus_exception.cache_info().maxsize is not None

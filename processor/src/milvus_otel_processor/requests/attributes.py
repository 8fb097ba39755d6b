"""The attributes that tell, on the span of a kept request, where its time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milvus_otel_processor.requests.hints import ATTRIBUTE as HINT
from milvus_otel_processor.requests.hints import hint
from milvus_otel_processor.requests.record import STAGES
from milvus_otel_processor.spans.attributes import Encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PREFIX: Final = "milvus.time."
"""What their names begin with."""
NAMES: Final = tuple(f"{PREFIX}{stage}_ms" for stage in STAGES)
"""Their names, in the order of STAGES; their values are milliseconds."""

_DIGITS = 3  # microseconds: spans of Go are no more exact than that


def encoded(times: Sequence[float], operation: str, wants: Callable[[str], bool]) -> Encoded:
    """Return the attributes for these seconds by stage, as far as they are wanted; a stage without any has none."""
    values: list[tuple[str, float | str]] = [
        (name, round(1000 * time, _DIGITS)) for name, time in zip(NAMES, times, strict=True) if time and wants(name)
    ]
    sentence = hint(operation, times) if wants(HINT) else None
    if sentence is not None:
        values.append((HINT, sentence))
    return Encoded(values)

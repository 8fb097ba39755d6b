"""What a reader of metrics gets: families of points, whoever counted them and in whatever format they leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

_WORDS = {"s": "seconds", "ms": "milliseconds", "By": "bytes"}
"""What Prometheus calls the units that it puts into names, by UCUM's symbols."""


class Exemplar(NamedTuple):
    """One measured value of a bucket, with the trace that it was measured in; that trace was kept."""

    value: float
    trace_id: bytes
    time_ns: int
    """Unix time."""


class Buckets(NamedTuple):
    """A histogram with explicit bounds, as it was at one moment."""

    bounds: tuple[float, ...]
    """Upper bounds, included; one bucket more is for what is above all of them."""
    counts: Sequence[int]
    sum: float
    exemplars: Mapping[int, Exemplar] = {}
    """By the index of their bucket."""

    @property
    def total(self) -> int:
        """How many values there were."""
        return sum(self.counts)


class Exponential(NamedTuple):
    """A base-2 exponential histogram of values that are not negative, as it was at one moment (OTLP's data model)."""

    scale: int
    """The upper bounds are powers of `2 ** 2 ** -scale`."""
    zero_count: int
    offset: int
    """The index of the first count: its bucket is above `base ** offset`, up to `base ** (offset + 1)`."""
    counts: Sequence[int]
    sum: float
    exemplars: Sequence[Exemplar] = ()

    @property
    def total(self) -> int:
        """How many values there were."""
        return self.zero_count + sum(self.counts)


Value = float | Buckets | Exponential


class Point(NamedTuple):
    """One value with its attributes; those that are "" are as good as absent."""

    attributes: Mapping[str, str]
    value: Value


class Family(NamedTuple):
    """One metric with all its points."""

    name: str
    """As OpenTelemetry names it, such as `milvus.request.duration`: the unit is not in it."""
    kind: str
    unit: str
    """UCUM's symbol: `s`, `By`, `{span}`; empty where there is none."""
    text: str
    points: Sequence[Point]


Source = Callable[[bool], Iterable[Family]]
"""Returns the families as they are now; true asks for exponential histograms, where they are counted."""


def prometheus_name(name: str, unit: str) -> str:
    """Return what Prometheus calls a metric of this name and unit, without the `_total` of a counter.

    As its OTLP receiver and the Collector translate names (github.com/prometheus/otlptranslator, "UnderscoreEscapingWithSuffixes").
    """
    plain = name.replace(".", "_")
    word = _WORDS.get(unit)
    return plain if word is None or word in plain.split("_") else f"{plain}_{word}"


def parted(prometheus: str) -> tuple[str, str]:
    """Return the name and the unit of a metric that Prometheus calls so: the other way round."""
    for unit, word in _WORDS.items():
        if prometheus.endswith(f"_{word}"):
            return prometheus.removesuffix(f"_{word}"), unit
    for word in ("span", "trace", "request", "line", "handshake", "collection", "record"):
        if prometheus.endswith(f"_{word}s"):
            return prometheus, f"{{{word}}}"
    return prometheus, ""


def prometheus_label(attribute: str) -> str:
    """Return what Prometheus calls an attribute."""
    return attribute.replace(".", "_")

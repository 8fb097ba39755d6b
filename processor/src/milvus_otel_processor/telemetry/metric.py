"""What a metric is: its name, kind, labels and text, how its values are read, and the alert that looks at it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.telemetry.family import COUNTER, GAUGE, HISTOGRAM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Labels = tuple[str, ...]
    Values = Mapping[Labels, Any]
    Counts = Any
    """Whatever has the fields: `instruments.Snapshot`."""

PREFIX = "milvus_otel_"
"""What the names of all metrics begin with."""

SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the bounds of histograms of work."""
LONG = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Seconds; the bounds of histograms of waiting."""


@dataclass
class Amount:
    """A number of traces and of the spans in them."""

    traces: int = 0
    spans: int = 0

    def add(self, spans: int, traces: int = 1) -> None:
        """Count one trace, or several, of so many spans together."""
        self.traces += traces
        self.spans += spans


class Histogram:
    """How often something took how long: counts by upper bounds, in seconds. Calls are serialized by the caller."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """How many were up to each bound and above the one before; the last beyond all."""
        self.sum = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        """Count one, or several that took as long."""
        self.counts[bisect_left(self.bounds, seconds)] += times
        self.sum += seconds * times

    def copy(self) -> Histogram:
        """Return one that does not change any more."""
        copied = Histogram(self.bounds)
        copied.counts, copied.sum = list(self.counts), self.sum
        return copied

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and (self.counts, self.sum) == (other.counts, other.sum)

    __hash__ = None  # type: ignore[assignment] # it changes


class Metric(NamedTuple):
    """One metric: a counter's name goes without `_total`, which Prometheus adds."""

    name: str
    kind: str
    labels: Labels
    text: str
    values: Callable[[Counts], Values]
    """Reads its values, by the values of its labels: numbers, or histograms."""
    known: Callable[[Counts], Sequence[Labels]] = lambda _: ()
    """The values of its labels that are known before anything happened; they begin at 0, so that `increase()` sees the first."""
    alerts: tuple[str, ...] = ()
    """The alerts of compose/prometheus/alerts.yaml that look at it."""


METRICS_OF = "metrics"
"""Where a field of the snapshot has what returns its metrics, given its name."""


def counted(make: Callable[[], Any], *metrics: Metric) -> Any:
    """Return a field with metrics of its own making; with none it is part of another's."""
    return field(default_factory=make, metadata={METRICS_OF: lambda _: metrics})


def number(name: str, text: str, *, kind: str = COUNTER, alerts: tuple[str, ...] = (), default: float = 0) -> Any:
    """Return a field that is one number."""

    def metrics(attribute: str) -> tuple[Metric, ...]:
        return (Metric(name, kind, (), text, lambda now: {(): getattr(now, attribute)}, alerts=alerts),)

    return field(default=default, metadata={METRICS_OF: metrics})


def time_of(name: str, text: str, *, alerts: tuple[str, ...] = ()) -> Any:
    """Return a field that is a time, in seconds since 1970; not shown where it is below 0: there is nothing of the kind."""

    def metrics(attribute: str) -> tuple[Metric, ...]:
        def values(now: Counts) -> Values:
            seconds = getattr(now, attribute)
            return {(): seconds} if seconds >= 0 else {}

        return (Metric(name, GAUGE, (), text, values, alerts=alerts),)

    return field(default=-1.0, metadata={METRICS_OF: metrics})


def by(
    label: str,
    name: str,
    text: str,
    *,
    make: Callable[[], Any],
    kind: str = COUNTER,
    known: Sequence[str] | Callable[[Counts], Sequence[str]] = (),
    alerts: tuple[str, ...] = (),
) -> Any:
    """Return a field that is a number for each value of a label."""

    def metrics(attribute: str) -> tuple[Metric, ...]:
        def values(now: Counts) -> Values:
            return {(key,): n for key, n in getattr(now, attribute).items()}

        def known_labels(now: Counts) -> Sequence[Labels]:
            return [(key,) for key in (known(now) if callable(known) else known)]

        return (Metric(name, kind, (label,), text, values, known_labels, alerts),)

    return field(default_factory=make, metadata={METRICS_OF: metrics})


def histogram(name: str, text: str, bounds: tuple[float, ...], *, alerts: tuple[str, ...] = ()) -> Any:
    """Return a field that is a histogram of durations."""

    def metrics(attribute: str) -> tuple[Metric, ...]:
        return (Metric(name, HISTOGRAM, (), text, lambda now: {(): getattr(now, attribute)}, alerts=alerts),)

    return field(default_factory=lambda: Histogram(bounds), metadata={METRICS_OF: metrics})

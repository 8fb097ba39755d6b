"""All requests once more, under the names that the Collector's `spanmetrics` connector gives and Jaeger's Monitor page reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.telemetry.family import COUNTER, HISTOGRAM, Buckets, Family, Point

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milvus_otel_processor.requests.counts import Distribution
    from milvus_otel_processor.requests.families import Counted
    from milvus_otel_processor.requests.record import Series

_ATTRIBUTES = ("service.name", "span.name", "span.kind", "status.code")
_SERVER, _CLIENT = "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT"
_ERROR, _UNSET = "STATUS_CODE_ERROR", "STATUS_CODE_UNSET"
_MILLISECONDS = 1e3
_GRPC_SERVICE = "milvus.proto.milvus.MilvusService/"
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Between two words of a method's name: `HybridSearch` is the client's `hybrid_search`."""


class _Span(NamedTuple):
    """What the page tells apart; with names that stored spans have, since it leads to them."""

    service: str
    name: str
    kind: str
    status: str


def span_metrics(counted: Counted, server: str) -> Iterator[Family]:
    """Yield what is counted, for Jaeger.

    Requests of all callers are shown under the service `server`, by the name of Milvus' span. Those of callers whose name is known
    are shown as well under that, by what milvus-otel-client calls its spans: `search products`.
    """
    spans = _spans(counted.requests, counted.bounds, server)
    points = [(dict(zip(_ATTRIBUTES, span, strict=True)), one) for span, one in spans.items()]
    yield Family(
        "traces.span.metrics.calls",
        COUNTER,
        "",
        "All requests, as Jaeger's Monitor page reads them.",
        [Point(attributes, one.total) for attributes, one in points],
    )
    yield Family(
        "traces.span.metrics.duration",
        HISTOGRAM,
        "ms",
        "How long they took, as Jaeger's Monitor page reads it.",
        [Point(attributes, one) for attributes, one in points],
    )


def _spans(requests: Mapping[Series, Distribution], bounds: tuple[float, ...], server: str) -> Mapping[_Span, Buckets]:
    """Return the requests by what the page tells apart, in milliseconds; several error codes are one."""
    found: dict[_Span, Buckets] = {}
    milliseconds = tuple(bound * _MILLISECONDS for bound in bounds)
    for series, one in requests.items():
        status = _ERROR if series.error_type else _UNSET
        spans = [_Span(server, _GRPC_SERVICE + series.operation, _SERVER, status)]
        if series.service:
            name = f"{_WORD.sub('_', series.operation).lower()} {series.collection}".rstrip()
            spans.append(_Span(series.service, name, _CLIENT, status))
        for span in spans:
            before = found.get(span)
            counts = list(one.counts)
            if before is not None:
                counts = [earlier + now for earlier, now in zip(before.counts, counts, strict=True)]
            seconds = one.sum * _MILLISECONDS + (before.sum if before is not None else 0.0)
            found[span] = Buckets(milliseconds, counts, seconds)
    return found

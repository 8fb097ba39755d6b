"""All metrics in Prometheus' text format, or in OpenMetrics with exemplars.

What is written is what `prometheus_client` writes, and the tests compare the two. That makes an object of each line, of which a
page with thousands of series of requests has hundreds of thousands, and so takes seconds for each scrape (docs/decisions.md).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client.utils import floatToGoString

from milvus_otel_processor.telemetry.family import COUNTER, Buckets, prometheus_label, prometheus_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from milvus_otel_processor.telemetry.family import Exemplar, Family

_LINES_AT_ONCE: Final = 4096
_NANOSECONDS = 1e9
_FIRST_EXPONENT: Final = 1_000_000
"""From here on Go writes numbers with an exponent."""
_number: Callable[[float], str] = floatToGoString
_IN_LABEL = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_IN_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


def exposition(families: Iterable[Family], *, open_metrics: bool) -> Iterator[bytes]:
    """Yield the page, a part at a time, so that whoever compresses it never holds all of it."""
    lines: list[str] = []
    for family in families:
        name = prometheus_name(family.name, family.unit)
        suffix = "_total" if family.kind == COUNTER else ""
        shown = name if open_metrics else name + suffix
        text = family.text.translate(_IN_LABEL if open_metrics else _IN_HELP)
        lines.append(f"# HELP {shown} {text}\n# TYPE {shown} {family.kind}\n")
        for attributes, value in family.points:
            labels = _labels(attributes)
            if isinstance(value, Buckets):
                lines.extend(_histogram(name, labels, value, open_metrics=open_metrics))
            elif isinstance(value, int | float):
                lines.append(f"{name}{suffix}{_braced(labels)} {_number(value)}\n")
            if len(lines) >= _LINES_AT_ONCE:
                yield "".join(lines).encode()
                lines.clear()
    if open_metrics:
        lines.append("# EOF\n")
    yield "".join(lines).encode()


def _labels(attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return names and values as they are written, by name."""
    return sorted([(prometheus_label(key), text.translate(_IN_LABEL)) for key, text in attributes.items()])


def _braced(labels: list[tuple[str, str]]) -> str:
    return "{" + ",".join([f'{name}="{text}"' for name, text in labels]) + "}" if labels else ""


def _histogram(name: str, labels: list[tuple[str, str]], found: Buckets, *, open_metrics: bool) -> list[str]:
    # What is the same in all lines is put together once.
    before = "".join([f'{label}="{text}",' for label, text in labels if label < "le"])
    after = "".join([f',{label}="{text}"' for label, text in labels if label > "le"])
    begin, end = f'{name}_bucket{{{before}le="', f'"{after}}} '
    totals = list(accumulate(found.counts))
    exemplars = found.exemplars if open_metrics else {}
    if totals[-1] < _FIRST_EXPONENT and not exemplars:  # nearly always, and most of all lines there are
        lines = [f"{begin}{bound}{end}{n}.0\n" for bound, n in zip(_bounds(found.bounds), totals, strict=True)]
    else:
        lines = [
            f"{begin}{bound}{end}{_count(n)}{_exemplar(exemplars.get(place))}\n"
            for place, (bound, n) in enumerate(zip(_bounds(found.bounds), totals, strict=True))
        ]
    braced = _braced(labels)
    lines.append(f"{name}_count{braced} {_count(totals[-1])}\n{name}_sum{braced} {_number(found.sum)}\n")
    return lines


@lru_cache(16)
def _bounds(bounds: tuple[float, ...]) -> tuple[str, ...]:
    return (*map(str, bounds), "+Inf")


def _count(number: int) -> str:
    return f"{number}.0" if number < _FIRST_EXPONENT else _number(number)


def _exemplar(one: Exemplar | None) -> str:
    if one is None:
        return ""
    return f' # {{trace_id="{one.trace_id.hex()}"}} {_number(one.value)} {one.time_ns / _NANOSECONDS}'

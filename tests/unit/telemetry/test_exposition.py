"""The page for Prometheus is what its own library would write."""

from __future__ import annotations

import gzip
from random import Random

import pytest
from milvus_otel_processor.telemetry.counters import Telemetry
from milvus_otel_processor.telemetry.exposition import exposition
from milvus_otel_processor.telemetry.family import COUNTER, GAUGE, HISTOGRAM, Buckets, Exemplar, Family, Point
from milvus_otel_processor.telemetry.own import own_metrics, process_metrics, together
from milvus_otel_processor.web.metrics import metrics_routes

from tests.support.exposition import written
from tests.support.http import ask, served

HOSTILE = ("", "plain", 'a"b', "a\nb", "a\\b", "a\\nb", "ü\u2028\x00", "{le=}", "x" * 1000)
NUMBERS = (0, 1, 999_999, 1_000_000, 1_000_001, 123_456_789, 2**53, 2**63)
VALUES = (0.0, 0.1, 1.5, -2.0, 1e-9, 1e6, 1234567.5, 1e21, float("inf"), float("nan"))
LABELS = ("db.collection.name", "le_", "l", "stage", "service.name", "A")


def family(random: Random, number: int) -> Family:
    kind = random.choice((COUNTER, GAUGE, HISTOGRAM))
    unit = random.choice(("", "s", "{request}")) if kind != COUNTER else ""
    points = []
    for _ in range(random.choice((0, 1, 3))):
        attributes = {key: random.choice(HOSTILE) for key in LABELS if random.random() < 0.5}
        points.append(Point(attributes, histogram(random) if kind == HISTOGRAM else random.choice(VALUES)))
    return Family(f"made.up.{number}", kind, unit, f"About {random.choice(HOSTILE)}.", points)


def histogram(random: Random) -> Buckets:
    bounds = (0.001, 0.5, 1.0, 10.0)[: random.randrange(1, 5)]
    places = [place for place in range(len(bounds) + 1) if random.random() < 0.5]
    return Buckets(
        bounds,
        [random.choice(NUMBERS) for _ in range(len(bounds) + 1)],
        random.choice(VALUES),
        {place: Exemplar(random.choice(VALUES), random.randbytes(16), random.randrange(2**61)) for place in places},
    )


@pytest.mark.parametrize("open_metrics", [False, True], ids=["text", "OpenMetrics"])
@pytest.mark.parametrize("seed", range(20))
def test_whatever_there_is_is_written_as_prometheus_library_writes_it(seed: int, *, open_metrics: bool) -> None:
    random = Random(seed)
    families = [family(random, number) for number in range(30)]
    assert b"".join(exposition(families, open_metrics=open_metrics)) == written(families, open_metrics=open_metrics)


@pytest.mark.parametrize("open_metrics", [False, True], ids=["text", "OpenMetrics"])
def test_so_are_the_processors_own(*, open_metrics: bool) -> None:
    families = list(together(own_metrics(Telemetry().snapshot), process_metrics())(False))
    assert b"".join(exposition(families, open_metrics=open_metrics)) == written(families, open_metrics=open_metrics)


def test_a_large_page_comes_in_parts_that_make_one() -> None:
    random = Random(1)
    points = [Point({"number": str(number)}, histogram(random)) for number in range(5000)]
    families = [Family("many", HISTOGRAM, "s", "Many.", points)]
    parts = list(exposition(families, open_metrics=True))
    assert len(parts) > 3
    assert b"".join(parts) == written(families, open_metrics=True)


def test_who_takes_gzip_gets_it_and_nobody_else() -> None:
    source = own_metrics(Telemetry().snapshot)
    with served(metrics_routes(source)) as url:
        plain = ask(f"{url}/metrics")
        zipped = ask(f"{url}/metrics", accept_encoding="gzip")
        refused = ask(f"{url}/metrics", accept_encoding="identity")
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body == refused.body
    assert len(zipped.body) < len(plain.body) / 3
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert "python_info" in plain.body.decode()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
    ],
    ids=["nothing", "anything", "Prometheus"],
)
def test_it_says_what_format_it_is_in(accept: str, kind: str) -> None:
    with served(metrics_routes(own_metrics(Telemetry().snapshot))) as url:
        answer = ask(f"{url}/metrics", accept=accept)
    assert answer.headers["content-type"] == kind
    assert answer.body.endswith(b"# EOF\n") == kind.startswith("application/openmetrics-text")

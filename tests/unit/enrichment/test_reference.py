"""The documented attributes are those that are written, with their types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from milvus_otel_processor.enrichment.attributes import ATTRIBUTES
from milvus_otel_processor.enrichment.catalogue.collection import Collection, VectorField
from milvus_otel_processor.enrichment.reference import with_table
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.requests.attributes import encoded
from milvus_otel_processor.requests.record import STAGES

from tests.support.enrichment import Bench, attributes, decoded, line, served, trace_of

PAGE = Path(__file__).parents[3] / "docs" / "enrichment.md"
PRODUCTS = Collection(
    1,
    "default",
    "products",
    ("live",),
    "ours",
    1,
    1,
    "Strong",
    True,
    5,
    "Loaded",
    1,
    (VectorField("v", 4, "FLAT", "L2"),),
    True,
)


def written() -> dict[str, Any]:
    """The attributes of a failed request by an alias to a collection of which everything is known, and of a question.

    The request took time in each stage, and most of it in one.
    """
    bench = Bench(MilvusSettings.model_validate({"attributes": {"request": {"include": ["*", "enduser.id"]}}}))
    bench.know(PRODUCTS)
    bench.log(line("Search", "live", partitions="[a]", user="root", status="Failed", code="65535", message="no"))
    trace = trace_of(served(1, "Search"))
    bench.enrich(trace)
    trace.append_missing((0,), encoded([0.001, 0.5, *[0.001] * (len(STAGES) - 2)], "Search", lambda _: True))
    ((_, span),) = decoded(trace).items()
    asked = Bench()
    asked.log(line("HasCollection", "gone", status="Failed", code="100", message="collection not found"))
    question = trace_of(served(1, "HasCollection"))
    asked.enrich(question)
    ((_, answered),) = decoded(question).items()
    return attributes(span) | {"milvus.exists": attributes(answered)["milvus.exists"]}


def test_the_page_holds_the_table_of_the_constants() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page
    assert all(f"| `{attribute.name}` | {attribute.type} |" in page for attribute in ATTRIBUTES)


def test_what_is_written_is_what_the_constants_say_no_more_and_no_less() -> None:
    assert set(written()) == {attribute.name for attribute in ATTRIBUTES}


def test_each_value_and_each_example_has_the_documented_type() -> None:
    values = written()
    types = {"string": str, "int": int, "boolean": bool, "double": float}
    for attribute in ATTRIBUTES:
        both: tuple[Any, Any] = (values[attribute.name], attribute.example)
        for value in both:
            if attribute.type.endswith("[]"):
                assert all(type(item) is types[attribute.type[:-2]] for item in value)
            else:
                assert type(value) is types[attribute.type]

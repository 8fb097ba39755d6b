"""A source of the user's own is named in YAML, asked in its turn, and cannot do harm."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.enrichment.facts import Facts
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.enrichment.sources.custom import SourceError, load
from pydantic import ValidationError

from tests.support.enrichment import Bench, attributes, decoded, line, served, span, trace_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.spans.contract import Trace

HERE = "tests.unit.enrichment.test_custom_source"


class Tenants:
    name = "tenants"

    def facts(self, trace: Trace, requests: Sequence[Request]) -> dict[int, Facts]:
        assert len(trace.spans) == 2
        return {place: Facts(collection="of_tenant", extra=(("tenant", "acme"),)) for place in range(len(requests))}


class Broken:
    name = "broken"

    def facts(self, trace: Trace, requests: Sequence[Request]) -> dict[int, Facts]:
        raise LookupError(f"no such tenant: {len(trace.spans)} spans, {len(requests)} requests")


class Nameless:
    pass


def bench(*sources: str) -> Bench:
    return Bench(MilvusSettings.model_validate({"sources": list(sources)}))


def test_it_names_the_collection_where_those_before_it_do_not() -> None:
    one = bench("access_log", f"{HERE}:Tenants")
    trace = trace_of(served(1, "Search"), span(2, "SearchTask", parent=1))
    one.enrich(trace)
    has = attributes(decoded(trace)["milvus.proto.milvus.MilvusService/Search"])
    assert (has["db.collection.name"], has["milvus.enrichment"], has["tenant"]) == ("of_tenant", "tenants", "acme")
    assert attributes(decoded(trace)["SearchTask"])["db.collection.name"] == "of_tenant"
    assert one.telemetry.enriched_requests == {"tenants": 1}


def test_a_source_before_it_goes_first() -> None:
    one = bench("access_log", f"{HERE}:Tenants")
    one.log(line("Search"))
    trace = trace_of(served(1, "Search"), span(2, "SearchTask", parent=1))
    one.enrich(trace)
    has = attributes(decoded(trace)["milvus.proto.milvus.MilvusService/Search"])
    assert (has["db.collection.name"], has["milvus.enrichment"], has["tenant"]) == ("products", "access_log", "acme")


def test_one_that_raises_is_counted_logged_once_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    one = bench(f"{HERE}:Broken", "access_log")
    one.log(line("Search"))
    for _ in range(3):
        trace = trace_of(served(1, "Search"))
        one.enrich(trace)
        assert attributes(next(iter(decoded(trace).values())))["db.collection.name"] == "products"
    assert one.telemetry.source_failures == {"broken": 3}
    assert len(caplog.records) == 1
    assert "Broken" in caplog.text
    assert "no such tenant" in caplog.text


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("no_such_package.module:Class", "No module named 'no_such_package'"),
        (f"{HERE}:NoSuchClass", "has no attribute 'NoSuchClass'"),
        (f"{HERE}:Nameless", "is no source; expected an attribute `name`"),
    ],
)
def test_one_that_cannot_be_had_ends_the_start_with_the_reason(path: str, why: str) -> None:
    with pytest.raises(SourceError, match=f"processors.milvus.sources: {path}: .*{why}"):
        load(path, Counter())


@pytest.mark.parametrize("sources", [["clients"], ["client", "client"], ["a.b"], [":Class"], ["module:"]])
def test_the_settings_refuse_what_is_no_source(sources: list[str]) -> None:
    with pytest.raises(ValidationError, match="sources"):
        MilvusSettings.model_validate({"sources": sources})

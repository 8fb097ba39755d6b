"""A collection that a rule names and Milvus does not have is said once, and counted, with the nearest name."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.enrichment.catalogue.collection import Collection
from milvus_otel_processor.service.rule_collections import RuleCollections

from tests.support.harness import ERRORS, sampling

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

PRODUCTS = Collection(1, "default", "products", aliases=("products_live",))
IN_SHOP = Collection(2, "shop", "orders")


def rules(*names: str, database: str | None = None, name: str = "some") -> TailSamplingSettings:
    settings: dict[str, object] = {"names": list(names)} | ({"database": database} if database is not None else {})
    return sampling(ERRORS, {"name": name, "type": "collection", "collection": settings})


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_name_that_is_not_there_is_said_once_with_the_nearest(caplog: pytest.LogCaptureFixture) -> None:
    missing: dict[str, int] = {}
    collections = RuleCollections(rules("prodcts", "orders"), missing)
    for _ in range(3):
        collections.check([PRODUCTS, IN_SHOP])
    assert warnings(caplog) == [
        "policy some asks for the collection 'prodcts', and Milvus has none that its user can see; did you mean 'products'?"
    ]
    assert missing == {"some": 1}


@pytest.mark.parametrize("name", ["products", "products_live", "prod*", "p?oducts", "*"])
def test_names_aliases_and_patterns_are_known(caplog: pytest.LogCaptureFixture, name: str) -> None:
    missing: dict[str, int] = {}
    RuleCollections(rules(name), missing).check([PRODUCTS, IN_SHOP])
    assert warnings(caplog) == []
    assert missing == {"some": 0}


def test_a_collection_of_another_database_is_not_the_one(caplog: pytest.LogCaptureFixture) -> None:
    RuleCollections(rules("orders", database="default"), {}).check([PRODUCTS, IN_SHOP])
    RuleCollections(rules("orders", database="sh*"), {}).check([PRODUCTS, IN_SHOP])
    (warning,) = warnings(caplog)
    assert "the collection 'orders' in the database 'default', and Milvus has none" in warning
    assert warning.endswith("; there is one in the database 'shop'")


def test_a_name_that_nothing_is_like_has_no_hint(caplog: pytest.LogCaptureFixture) -> None:
    RuleCollections(rules("zzz"), {}).check([])
    assert warnings(caplog) == ["policy some asks for the collection 'zzz', and Milvus has none that its user can see"]


def test_what_comes_and_what_goes_again_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    missing: dict[str, int] = {}
    collections = RuleCollections(rules("orders"), missing)
    for known in ([], [IN_SHOP], [IN_SHOP], []):
        collections.check(known)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert missing == {"some": 1}


def test_a_policy_inside_of_another_and_one_on_the_attribute_are_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    by_name = {"type": "collection", "collection": {"names": ["a"]}}
    by_key = {"type": "string_attribute", "string_attribute": {"key": "db.collection.name", "values": ["b"]}}
    by_expression = {
        "type": "string_attribute",
        "string_attribute": {"key": "db.collection.name", "values": ["c"], "enabled_regex_matching": True},
    }
    both = {"name": "both", "type": "and", "and": {"and_sub_policy": [by_name, by_key, by_expression]}}
    missing: dict[str, int] = {}
    RuleCollections(sampling(both), missing).check([PRODUCTS])
    assert [message.partition(", and")[0] for message in warnings(caplog)] == [
        "policy both asks for the collection 'a'",
        "policy both asks for the collection 'b'",
    ]
    assert missing == {"both": 2}


def test_other_rules_are_looked_at_at_once(caplog: pytest.LogCaptureFixture) -> None:
    missing: dict[str, int] = {}
    collections = RuleCollections(rules("products"), missing)
    collections.replace(rules("orders"))
    assert missing == {}  # nothing has been read yet
    collections.check([PRODUCTS])
    collections.replace(rules("products", name="new"))
    assert missing == {"new": 0}
    assert len(warnings(caplog)) == 1

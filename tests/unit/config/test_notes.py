# ruff: noqa: E501 - a case is one line: what is asked for, and what is said of it
"""Between rules and enrichment: what rules ask for under another name or type, or that nobody writes, is a warning at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.config.asked import _INSTEAD, _OF_CLIENTS, _WRITTEN

from tests.unit.config.conftest import CONFIG, SAMPLING

if TYPE_CHECKING:
    from tests.unit.config.conftest import ConfigFolder

PATH = "sampling.yaml:9: processors.tail_sampling.policies[2]"


def warnings(folder: ConfigFolder, policy: str) -> list[str]:
    folder.write("sampling.yaml", f"{SAMPLING}  - {{name: p, {policy}}}\n")
    return folder.warnings()


@pytest.mark.parametrize(
    ("policy", "path", "message"),
    [
        ("type: string_attribute, string_attribute: {key: collection, values: [a]}", "string_attribute.key", "enrichment writes db.collection.name; collection is only there where a client writes it itself"),
        ("type: string_attribute, string_attribute: {key: db.name, values: [a]}", "string_attribute.key", "enrichment writes db.namespace; "),
        ("type: string_attribute, string_attribute: {key: db.operation, values: [a]}", "string_attribute.key", "enrichment writes db.operation.name; "),
        ("type: string_attribute, string_attribute: {key: db.colection.name, values: [a]}", "string_attribute.key", "enrichment writes db.collection.name; "),
        ("type: numeric_attribute, numeric_attribute: {key: milvus.collection.rowcount, min_value: 1}", "numeric_attribute.key", "enrichment writes milvus.collection.row_count; "),
        ("type: dynamic, dynamic: {traces_per_second: 1, keys: [http.route, milvus.collection]}", "dynamic.keys[1]", "enrichment writes db.collection.name; "),
        ("type: ottl_condition, ottl_condition: {span: ['attributes[\"db.name\"] == \"a\"']}", "ottl_condition.span[0]", "enrichment writes db.namespace; "),
        ("type: ottl_condition, ottl_condition: {spanevent: ['span.attributes[\"db.name\"] == \"a\"']}", "ottl_condition.spanevent[0]", "enrichment writes db.namespace; "),
        ("type: not, not: {not_sub_policy: {type: boolean_attribute, boolean_attribute: {key: db.system}}}", "not.not_sub_policy.boolean_attribute.key", "enrichment writes db.system.name; "),
        ("type: numeric_attribute, numeric_attribute: {key: db.response.status_code, min_value: 1}", "numeric_attribute.key", "db.response.status_code is written as a string, and so is never a number that matches"),
        ("type: string_attribute, string_attribute: {key: milvus.collection.row_count, values: ['0']}", "string_attribute.key", "milvus.collection.row_count is written as a number, and so is never a string that matches"),
        ("type: string_attribute, string_attribute: {key: milvus.partitions, values: [a]}", "string_attribute.key", "milvus.partitions is written as a list"),
        ("type: string_attribute, string_attribute: {key: enduser.id, values: [a]}", "string_attribute.key", "enduser.id is not written on spans with these settings of the milvus processor: it is written only where attributes.request.include names it"),
    ],
)  # fmt: skip
def test_an_attribute_that_no_span_will_have_is_said(
    folder: ConfigFolder, policy: str, path: str, message: str
) -> None:
    (warning,) = warnings(folder, policy)
    assert warning.startswith(f"{PATH}.{path}: {message}")


@pytest.mark.parametrize(
    "policy",
    [
        "type: string_attribute, string_attribute: {key: db.collection.name, values: [a]}",
        "type: string_attribute, string_attribute: {key: tenant, values: [a]}",
        "type: numeric_attribute, numeric_attribute: {key: milvus.collection.row_count, min_value: 1}",
        "type: numeric_attribute, numeric_attribute: {key: milvus.limit, min_value: 1}",
        "type: boolean_attribute, boolean_attribute: {key: milvus.collection.dynamic_field, value: true}",
        "type: dynamic, dynamic: {traces_per_second: 1, keys: [db.collection.name, root.name]}",
        "type: ottl_condition, ottl_condition: {span: ['attributes[\"db.collection.name\"] == \"a\" and resource.attributes[\"db.name\"] == nil']}",
        "type: collection, collection: {names: [a]}",
    ],
)  # fmt: skip
def test_of_attributes_that_are_written_or_of_others_nothing_is_said(folder: ConfigFolder, policy: str) -> None:
    assert warnings(folder, policy) == []


def test_a_source_of_the_users_own_may_write_anything(folder: ConfigFolder) -> None:
    folder.write("config.yaml", CONFIG.replace("{uri:", "{sources: ['os:path'], uri:"))
    assert warnings(folder, "type: string_attribute, string_attribute: {key: collection, values: [a]}") == []


def test_without_enrichment_what_it_writes_is_not_there(folder: ConfigFolder) -> None:
    folder.write("config.yaml", CONFIG.replace("[milvus, tail_sampling]", "[tail_sampling]"))
    _, warning = warnings(folder, "type: collection, collection: {names: [a]}")
    assert warning.startswith(f"{PATH}.type: collection asks for what the milvus processor writes, and that is not")
    _, warning = warnings(folder, "type: string_attribute, string_attribute: {key: milvus.collection.id, values: [a]}")
    assert "milvus.collection.id is written by the milvus processor, which is not in the pipeline" in warning


@pytest.mark.parametrize(
    ("settings", "path", "message"),
    [
        ("wait_duration: 5s", "wait_duration", "means nothing beside tail_sampling"),
        (
            "catalogue: {enabled: false, interval: 5s}",
            "catalogue.enabled",
            "the other settings of the catalogue mean nothing",
        ),
        ("sources: [client], access_log: {max_lines: 5}", "access_log", "sources does not list access_log"),
        ("catalogue: {interval: 60s, stale_after: 30s}", "catalogue.stale_after", "is shorter than interval"),
    ],
)
def test_settings_of_enrichment_that_mean_nothing_are_said(
    folder: ConfigFolder, settings: str, path: str, message: str
) -> None:
    folder.write("config.yaml", CONFIG.replace("{uri:", f"{{{settings}, uri:"))
    (warning,) = folder.warnings()
    assert warning.startswith(f"config.yaml:4: processors.milvus.{path}: ")
    assert message in warning


def test_the_other_names_are_other_names() -> None:
    assert not _INSTEAD.keys() & (_WRITTEN.keys() | _OF_CLIENTS)
    assert set(_INSTEAD.values()) <= _WRITTEN.keys()

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
        ("tls: {server_name_override: milvus}", "tls", "the uri begins with http://"),
    ],
)
def test_settings_of_enrichment_that_mean_nothing_are_said(
    folder: ConfigFolder, settings: str, path: str, message: str
) -> None:
    folder.write("config.yaml", CONFIG.replace("{uri:", f"{{{settings}, uri:"))
    (warning,) = folder.warnings()
    assert warning.startswith(f"config.yaml:4: processors.milvus.{path}: ")
    assert message in warning


@pytest.mark.parametrize(
    ("settings", "path", "message"),
    [
        ("tls: {insecure: true, ca_file: ca.crt}", "tls.ca_file", "means nothing, because tls.insecure is true"),
        ("keepalive: {time: 0s, permit_without_stream: true}", "keepalive.permit_without_stream", "means nothing, because keepalive.time is 0s"),
        ("sending_queue: {queue_size: 100, batch: {min_size: 200}}", "sending_queue.batch.min_size", "200 is more than queue_size, 100"),
        ("retry_on_failure: {enabled: false, max_interval: 5s}", "retry_on_failure.enabled", "the other settings of retry_on_failure mean nothing"),
        ("retry_on_failure: {initial_interval: 40s}", "retry_on_failure.initial_interval", "40s is longer than max_interval, 30s"),
        ("retry_on_failure: {max_elapsed_time: 2s}", "retry_on_failure.max_elapsed_time", "2s ends before the first pause of at least 2.5s, so that nothing is sent again"),
    ],
)  # fmt: skip
def test_settings_of_the_exporter_that_can_never_matter_are_said(
    folder: ConfigFolder, settings: str, path: str, message: str
) -> None:
    insecure = "" if settings.startswith("tls") else "\n    tls: {insecure: true}"
    folder.write("config.yaml", CONFIG.replace("\n    tls: {insecure: true}", f"\n    {settings}{insecure}"))
    (warning,) = folder.warnings()
    assert warning.startswith(f"config.yaml:9: exporters.otlp.{path}: ")
    assert message in warning


@pytest.mark.parametrize(
    "settings",
    [
        "retry_on_failure: {enabled: false}",
        "retry_on_failure: {initial_interval: 30s}",
        "retry_on_failure: {max_elapsed_time: 0s}",
        "retry_on_failure: {max_elapsed_time: 2.6s}",
        "sending_queue: {queue_size: 200, batch: {min_size: 200}}",
        "sending_queue: {queue_size: 200}",
        "keepalive: {time: 0s, timeout: 1s}",
    ],
)
def test_settings_of_the_exporter_that_matter_pass_in_silence(folder: ConfigFolder, settings: str) -> None:
    folder.write("config.yaml", CONFIG.replace("    tls:", f"    {settings}\n    tls:"))
    assert folder.warnings() == []


def test_files_for_an_endpoint_without_tls_are_said(folder: ConfigFolder) -> None:
    to = "endpoint: http://jaeger:4317\n    tls: {ca_file: ca.crt}"
    folder.write("config.yaml", CONFIG.replace("endpoint: jaeger:4317\n    tls: {insecure: true}", to))
    (warning,) = folder.warnings()
    assert warning.startswith(
        "config.yaml:9: exporters.otlp.tls.ca_file: means nothing, because the endpoint begins with"
    )


def test_a_grace_for_connections_that_are_never_too_old_is_said(folder: ConfigFolder) -> None:
    parameters = "keepalive: {server_parameters: {max_connection_age: 0s, max_connection_age_grace: 5s}}"
    folder.write("config.yaml", CONFIG.replace("4317}}}", f"4317, {parameters}}}}}}}", 1))
    (warning,) = folder.warnings()
    assert "server_parameters.max_connection_age_grace: means nothing, because max_connection_age is 0s" in warning
    assert warning.startswith("config.yaml:2: receivers.otlp.protocols.grpc.keepalive.")


def test_of_two_limits_of_memory_the_one_that_means_nothing_is_said(folder: ConfigFolder) -> None:
    limiter = "extensions:\n  memory_limiter: {limit_mib: 100, limit_percentage: 50}\n"
    listed = CONFIG.replace("service:\n", "service:\n  extensions: [memory_limiter]\n")
    folder.write("config.yaml", limiter + listed)
    (warning,) = folder.warnings()
    assert warning.startswith(
        "config.yaml:2: extensions.memory_limiter.limit_percentage: means nothing beside limit_mib"
    )


def test_the_other_names_are_other_names() -> None:
    assert not _INSTEAD.keys() & (_WRITTEN.keys() | _OF_CLIENTS)
    assert set(_INSTEAD.values()) <= _WRITTEN.keys()

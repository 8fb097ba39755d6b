"""The JSON Schemas in the package are those of the models, and every YAML that we show or ship is valid by them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator
from milvus_otel_processor.cli import main
from milvus_otel_processor.config import default_config_text, load_config
from milvus_otel_processor.config.builtin import schema_path
from milvus_otel_processor.config.schema import text
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from milvus_otel_processor.config.builtin import SchemaOf

ROOT = Path(__file__).parents[3]
SHIPPED = [
    *((ROOT / "processor/src/milvus_otel_processor/config").glob("*.yaml")),
    ROOT / "compose/processor.yaml",
    ROOT / "compose/sampling.yaml",
    ROOT / "compose/sampling.test.yaml",
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    (f"{page.name} {index}", YAML(typ="safe", pure=True).load(block))
    for page in PAGES
    for index, block in enumerate(
        re.findall(r"^ *```yaml\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )
    if re.search(r"^ *(policies|tests):", block, re.MULTILINE)
]


def validator(of: SchemaOf) -> Draft7Validator:
    schema = json.loads(schema_path(of).read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def errors(of: SchemaOf, document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in validator(of).iter_errors(document)]


def of(document: dict[str, Any]) -> SchemaOf:
    if "tests" in document:
        return "tests"
    return "config" if "receivers" in document or "processors" in document else "rules"


@pytest.mark.parametrize("what", ["config", "rules", "tests"])
def test_the_files_are_current(what: SchemaOf) -> None:
    """Write them anew with `uv run python -m milvus_otel_processor.config.schema`."""
    assert schema_path(what).read_text(encoding="utf-8") == text(what)


@pytest.mark.parametrize("what", ["config", "rules", "tests"])
def test_the_command_prints_them(what: SchemaOf) -> None:
    assert CliRunner().invoke(main, ["schema", what]).stdout == text(what)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_file_that_we_ship_names_its_schema_in_the_first_line_and_is_valid(file: Path) -> None:
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named is not None
    document = YAML(typ="safe", pure=True).load(file)
    assert (file.parent / named[1]).resolve() == schema_path(of(document))
    assert errors(of(document), document) == []


def test_what_is_printed_to_start_from_is_valid_and_names_the_schema_once() -> None:
    printed = default_config_text()
    assert printed.startswith("# yaml-language-server: $schema=config.schema.json\n")
    assert printed.count("yaml-language-server") == 1
    assert errors("config", YAML(typ="safe", pure=True).load(printed)) == []


@pytest.mark.parametrize(("name", "document"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_every_example_of_the_documents_is_valid(name: str, document: Any) -> None:
    if of(document) == "config" and "service" not in document:
        document = {
            "receivers": {"otlp": None},
            "exporters": {"otlp": {"endpoint": "a:1"}},
            "service": SERVICE,
        } | document
    assert errors(of(document), document) == [], name


SERVICE = {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp"]}}}
WHOLE: dict[str, Any] = {"receivers": {"otlp": None}, "exporters": {"otlp": {"endpoint": "a:1"}}, "service": SERVICE}
SLOW: dict[str, Any] = {"name": "slow", "type": "latency", "latency": {"threshold_ms": 5}}
AS_WRITTEN = [
    {"policies": [SLOW], "decision_wait": "1m30s"},
    {"policies": [SLOW], "decision_wait": "${env:WAIT}"},
    {"policies": [SLOW], "num_traces": 1e6},
    {"policies": [SLOW], "num_traces": None},
    {"policies": "${file:policies.yaml}"},
    {"tail_sampling": {"policies": [SLOW]}},
    {"policies": [{"name": "e", "type": "status_code", "status_code": {"status_codes": "ERROR,OK"}}]},
]


@pytest.mark.parametrize("document", AS_WRITTEN, ids=range(len(AS_WRITTEN)))
def test_what_is_taken_is_valid(document: dict[str, Any]) -> None:
    assert errors("rules", document) == []


WRONG = [
    {"policies": []},
    {},
    {"policies": [SLOW | {"type": "latncy"}]},
    {"policies": [SLOW | {"latency": {"treshold_ms": 5}}]},
    {"policies": [SLOW | {"latency": {"threshold_ms": "soon"}}]},
    {"policies": [SLOW], "decision_wait": 10},
    {"policies": [SLOW], "decision_wait": "10"},
    {"policies": [SLOW], "num_traces": 0},
    {"policies": [SLOW], "policy": 1},
]


@pytest.mark.parametrize("document", WRONG, ids=range(len(WRONG)))
def test_what_is_refused_is_not_valid(document: dict[str, Any], tmp_path: Path) -> None:
    assert errors("rules", document) != []
    file = tmp_path / "sampling.yaml"
    with file.open("w") as stream:
        YAML(typ="safe", pure=True).dump(document, stream)
    with pytest.raises(Exception, match=r"sampling\.yaml"):
        load_config(file, environ={}, rules_alone=True)


def test_components_are_known_by_type_and_name() -> None:
    assert errors("config", WHOLE) == []
    assert errors("config", WHOLE | {"processors": {"tail_sampling/mine": {"policies": [SLOW]}, "milvus": None}}) == []
    assert errors("config", WHOLE | {"processors": {"my_package.module:Class": {"anything": 1}}}) == []
    assert errors("config", WHOLE | {"processors": {"batch": {}}}) != []
    assert errors("config", WHOLE | {"recievers": {}}) != []

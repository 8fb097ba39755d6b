"""The names of the attributes: in the conventions, in the README's table, and in use."""

from __future__ import annotations

import re
from pathlib import Path

import milvus_otel_client
from milvus_otel_client import attributes
from opentelemetry.semconv._incubating.attributes import db_attributes as incubating
from opentelemetry.semconv.attributes import db_attributes, error_attributes, server_attributes

_PREFIXES = ("db.", "error.", "milvus.", "rpc.", "server.")
_CLIENT = Path(__file__).resolve().parent.parent
NAMES = {value for value in vars(attributes).values() if isinstance(value, str) and value.startswith(_PREFIXES)}


def test_the_table_in_the_readme_lists_the_attributes_that_are_set_and_no_others() -> None:
    readme = (_CLIENT / "README.md").read_text(encoding="utf-8")
    table = set(re.findall(r"^\| `([a-z_]+\.[a-z_.]+)` \|", readme, re.MULTILINE))
    assert table == NAMES


def test_every_name_is_used() -> None:
    constants = [name for name, value in vars(attributes).items() if isinstance(value, str) and value in NAMES]
    folder = Path(milvus_otel_client.__file__).parent
    code = " ".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py") if path.name != "attributes.py")
    assert [name for name in constants if not re.search(rf"\b{name}\b", code)] == []


def test_names_of_the_conventions_are_spelled_as_there() -> None:
    # db.response.returned_rows is not stable yet
    known = {
        value
        for module in (db_attributes, incubating, error_attributes, server_attributes)
        for value in vars(module).values()
        if isinstance(value, str)
    }
    assert {name for name in NAMES if name.startswith(("db.", "error.", "server."))} <= known

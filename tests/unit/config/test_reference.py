from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from milvus_otel_processor.config.model import Config
from milvus_otel_processor.config.reference import reference
from milvus_otel_processor.config.shapes import ModelShape, shape_of_field
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_reference_page_is_what_the_models_say() -> None:
    command = "uv run python -m milvus_otel_processor.config.reference > docs/configuration.md"
    assert PAGE.read_text(encoding="utf-8") == reference(), f"out of date, run: {command}"


def test_every_key_in_the_reference_is_described() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    undescribed = [row for row in rows if row.rsplit("|", 2)[1].strip() == "" and "`type`" not in row]
    assert undescribed == []


def test_every_settings_model_has_its_table_and_no_class_is_named() -> None:
    page = reference()
    named = [model.__name__ for model in every_model(Settings) if model is not Config and model.__name__ in page]
    assert named == []
    for model in every_model(Settings):
        keys = [info.alias or name for name, info in model.model_fields.items() if not is_block(info)]
        for key in keys if model is not Config else ():
            assert f"`{key}`" in page or f".{key}`" in page, (model.__name__, key)


def test_a_key_that_is_required_in_a_block_alone_says_so() -> None:
    rows = {row.split("`")[1]: row for row in reference().splitlines() if row.startswith("| `")}
    assert "| required in `protocols.grpc.tls` |" in rows["protocols.grpc.tls.cert_file"]
    assert "| required in `attributes.subtree` |" in rows["attributes.subtree.include"]
    assert "| block | none |" in rows["protocols.grpc.tls"]
    assert "| required |" in rows["endpoint"]
    assert "| required |" in rows["string_attribute.key"]
    assert "rate_allocation" in reference().partition("Each entry of `composite.")[2][:40]


def every_model(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        # Tests of rules are not part of the configuration.
        if model.__module__.startswith("milvus_otel_processor") and ".expectations." not in model.__module__:
            yield model
            yield from every_model(model)


def is_block(info: FieldInfo) -> bool:
    return isinstance(shape_of_field(info), ModelShape)

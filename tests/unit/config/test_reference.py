from __future__ import annotations

from pathlib import Path

from milvus_otel_processor.config.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_reference_page_is_what_the_models_say() -> None:
    command = "uv run python -m milvus_otel_processor.config.reference > docs/configuration.md"
    assert PAGE.read_text(encoding="utf-8") == reference(), f"out of date, run: {command}"


def test_every_key_in_the_reference_is_described() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    undescribed = [row for row in rows if row.rsplit("|", 2)[1].strip() == "" and "`type`" not in row]
    assert undescribed == []

"""The table of versions is what the recordings show."""

from pathlib import Path

from tests.support.span_columns import with_table

PAGE = Path(__file__).parents[3] / "docs" / "milvus-spans.md"


def test_the_table_of_versions_is_what_the_recordings_show() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page

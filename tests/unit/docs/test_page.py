"""docs/page.md tells of every path that there is, and of no other."""

import re
from pathlib import Path

from milvus_otel_processor.page.answers import ENDPOINTS, PREFIX, STREAMS

PAGE = Path(__file__).parents[3] / "docs" / "page.md"
ROW = re.compile(r"^\| `((?:GET|POST) /api/v1[^?`]*)(.*)", re.MULTILINE)


def test_the_page_of_the_api_has_every_path() -> None:
    told = {path for path, _ in ROW.findall(PAGE.read_text(encoding="utf-8"))}
    assert told == {f"{one.method} {PREFIX}{one.path}" for one in (*ENDPOINTS, *STREAMS)}


def test_the_page_of_the_api_has_every_parameter() -> None:
    rows = dict(ROW.findall(PAGE.read_text(encoding="utf-8")))
    rows[f"POST {PREFIX}/capture/access-log"] += rows[f"POST {PREFIX}/capture/traces"]  # it says: likewise
    for one in (*ENDPOINTS, *STREAMS):
        row = rows[f"{one.method} {PREFIX}{one.path}"]
        assert [name for name in one.query if not re.search(rf"[`,?]{name}[`,=]", row)] == []

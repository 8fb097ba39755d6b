"""docs/page.md tells of every path that there is, and of no other."""

import re
from pathlib import Path

from milvus_otel_processor.page.answers import ENDPOINTS, PREFIX

PAGE = Path(__file__).parents[3] / "docs" / "page.md"
STREAMS = {f"POST {PREFIX}/capture/traces", f"POST {PREFIX}/capture/access-log"}


def test_the_page_of_the_api_has_every_path() -> None:
    told = set(re.findall(r"^\| `((?:GET|POST) /api/v1[^?`]*)", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert told == {f"{one.method} {PREFIX}{one.path}" for one in ENDPOINTS} | STREAMS

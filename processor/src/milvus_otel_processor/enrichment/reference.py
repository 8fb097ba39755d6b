"""The table of attributes, written into docs/enrichment.md: `python -m milvus_otel_processor.enrichment.reference PAGE`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.attributes import DETAILS, FAILURE, NAMES, TIMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.enrichment.attributes import Attribute

_PLACES = (
    (NAMES, "every span of a request"),
    (FAILURE, "the request's own span, and Milvus' span of it"),
    (DETAILS, "the request's own span"),
    (TIMES, "the caller's span of a request, else Milvus' own"),
)
_TABLE = re.compile(r"(?<=<!-- attributes -->\n).*(?=<!-- /attributes -->)", re.DOTALL)


def table() -> str:
    """Return the table, in Markdown."""
    return "| attribute | type | example | on | meaning |\n| --- | --- | --- | --- | --- |\n" + "".join(_rows())


def _rows() -> Iterator[str]:
    for attributes, place in _PLACES:
        for attribute in attributes:
            yield f"| `{attribute.name}` | {attribute.type} | `{_example(attribute)}` | {place} | {attribute.meaning} |\n"


def _example(attribute: Attribute) -> str:
    example = attribute.example
    return example if isinstance(example, str) else json.dumps(example)


def with_table(page: str) -> str:
    """Return the page with the table between its two marks."""
    return _TABLE.sub(lambda _: table(), page)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")

"""Writes the table of hints in `docs/reading-a-trace.md` from the code.

uv run python -m tests.support.hints_table docs/reading-a-trace.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from milvus_otel_processor.requests.hints import HINTS, OTHER, QUERY, SEARCH, WRITES
from milvus_otel_processor.requests.record import STAGES, UNEXPLAINED

BEGIN, END = "<!-- hints -->", "<!-- /hints -->"
_WORDS = {SEARCH: "search, hybrid search", QUERY: "query, get", WRITES: "insert, upsert, delete", OTHER: "any other"}


def table() -> str:
    """The table in Markdown: a row for each stage and sentence, with the operations that it is said of."""
    lines = ["| stage | operation | the hint |", "| --- | --- | --- |"]
    for stage in STAGES:
        said: dict[str, list[str]] = {}
        for kind in _WORDS:
            if (stage, kind) in HINTS:
                said.setdefault(HINTS[stage, kind], []).append(kind)
        lines += [f"| `{stage}` | {_kinds(kinds)} | {sentence} |" for sentence, kinds in said.items()]
        assert said or stage == UNEXPLAINED
    return "\n".join(lines)


def _kinds(kinds: list[str]) -> str:
    return "all" if len(kinds) == len(_WORDS) else ", ".join(_WORDS[kind] for kind in kinds)


def with_table(page: str) -> str:
    """Return the page with the table between its marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")

"""CONTRIBUTING.md names every folder of tests."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_folder_of_tests_is_in_the_table() -> None:
    named = set(re.findall(r"`tests/(\w+)/`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    there = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert named == there

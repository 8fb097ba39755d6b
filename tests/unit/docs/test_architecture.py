"""What docs/architecture.md says is there: every package and module has its line, and the files that it names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "processor" / "src" / "milvus_otel_processor"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([\w./]+)` \| (.+) \|$", PAGE, re.MULTILINE))


def test_every_package_and_module_has_its_line() -> None:
    packages = {f"{path.parent.name}/" for path in SOURCE.glob("*/__init__.py")}
    modules = {path.name for path in SOURCE.glob("*.py") if path.name != "__init__.py"}
    assert set(ROWS) == packages | modules


def test_every_file_that_is_named_is_there() -> None:
    missing = [
        (package, name)
        for package, text in ROWS.items()
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", text)
        if not (SOURCE / package / name).exists()
    ]
    assert missing == []

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


def test_no_package_has_two_lines() -> None:
    named = re.findall(r"^\| `([\w./]+)` \|", PAGE, re.MULTILINE)
    assert named == list(dict.fromkeys(named))


def test_the_picture_is_that_of_the_readme_and_the_first_lines_of_the_table_are_its_packages_in_their_order() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = [
        re.findall(r"^```\n( app \+ client .*?)^```", page, re.MULTILINE | re.DOTALL) for page in (PAGE, readme)
    ]
    assert pictures[0] == pictures[1]
    (picture,) = pictures[0]
    packages = picture.partition("its packages:")[2].split("\n")[0].replace("→", " ").split()
    assert len(packages) == 7
    assert list(ROWS)[:7] == [f"{package}/" for package in packages]


def test_every_file_that_is_named_is_there() -> None:
    missing = [
        (package, name)
        for package, text in ROWS.items()
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", text)
        if not (SOURCE / package / name).exists()
    ]
    assert missing == []

"""What the image is made of is pinned by hash, and is what the rest of the project is pinned to."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
IMAGE = ROOT / "processor" / "image"
FILES = sorted(IMAGE.glob("*.txt"))
REQUIREMENT = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def pinned() -> dict[str, set[str]]:
    """The versions that the root's pyproject.toml pins, by name; of some there are several, for several Pythons."""
    uv = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    pins: dict[str, set[str]] = {}
    for pin in uv["constraint-dependencies"] + uv["build-constraint-dependencies"]:
        name, _, version = pin.partition(" ;")[0].partition("==")
        pins.setdefault(name, set()).add(version.strip())
    return pins


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_requirement_has_its_version_and_hashes_and_names_no_registry(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[\w.-]+==)", text.strip())
    assert len(entries) == len(REQUIREMENT.findall(text)) > 0
    for entry in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in text


@pytest.mark.parametrize("name", ["runtime", "pymilvus", "build"])
def test_what_is_in_the_image_is_what_is_tested(name: str) -> None:
    pins = pinned()
    for package, version in REQUIREMENT.findall((IMAGE / f"{name}.txt").read_text(encoding="utf-8")):
        assert version in pins[package], f"{package}: run scripts/pin"


def test_our_packages_are_built_by_what_the_hashes_are_of() -> None:
    built = dict(REQUIREMENT.findall((IMAGE / "build.txt").read_text(encoding="utf-8")))
    for member in ("client", "processor", "processor/core"):
        (requirement,) = tomllib.loads((ROOT / member / "pyproject.toml").read_text(encoding="utf-8"))["build-system"][
            "requires"
        ]
        name, _, version = requirement.partition("==")
        assert built[name] == version, member


def test_all_that_the_dockerfile_installs_is_checked_against_hashes() -> None:
    text = (ROOT / "processor" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [line for line in re.split(r"\n|&&", text) if re.search(r"(pip install|uv build) ", line)]
    assert len(installs) == 7
    for line in installs:
        assert "--require-hashes" in line or "/wheels/*.whl" in line, line

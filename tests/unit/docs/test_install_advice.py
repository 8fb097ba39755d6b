"""What messages and pages say of installing works where the packages are, which is in no package index yet."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from milvus_otel_processor.demo.wheel import _without_wheel
from milvus_otel_processor.installing import CATALOGUE, Part, how_to_install
from milvus_otel_processor.spans import stores

from tests.peers.missing import require_command

ROOT = Path(__file__).parents[3]
SEEN = ("*.md", "*.py", "*.yaml", "*.toml", "*.html", "*.js", "*.json", "*.rs", "*Dockerfile", ".ci/run", "scripts/*")
EXCEPT = ("docs/releasing.md", "tests/unit/docs/test_install_advice.py")
"""The first says what to write once there is an index."""
FROM_AN_INDEX = re.compile(
    r"\b(?:install|uv add|uvx|pipx run)\b[^\n]{0,80}?['\"` ]milvus-otel-(?:client|processor|core)\b(?:\[[\w,]+\])?+(?! @ )"
)


def _files() -> list[str]:
    git = require_command("git", "the list of what is in the repository")
    listed = subprocess.run(
        [git, "ls-files", "--cached", "--others", "--exclude-standard", "--", *SEEN],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for path in listed.stdout.splitlines() if path not in EXCEPT]


def _advice(text: str) -> list[str]:
    """Each place that asks an index for one of our packages."""
    return [found[0] for found in FROM_AN_INDEX.finditer(text)]


@pytest.mark.parametrize(
    "text",
    [
        "pip install 'milvus-otel-processor[demo]'",
        "pip install milvus-otel-client",
        "install milvus-otel-processor[catalogue], or",
        'uv pip install --upgrade "milvus-otel-core"',
    ],
)
def test_advice_that_asks_an_index_for_our_packages_is_seen(text: str) -> None:
    assert _advice(text)


def test_no_page_and_no_message_asks_an_index_for_our_packages() -> None:
    paths = _files()
    assert {"README.md", "client/src/milvus_otel_client/exporters.py", "compose/demo/Dockerfile"} <= set(paths)
    found = {path: _advice((ROOT / path).read_text(encoding="utf-8")) for path in paths}
    assert {path: advice for path, advice in found.items() if advice} == {}


PARTS: tuple[Part, ...] = ("demo", "metrics", "native")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_installed_from_folders_and_extras_that_are_there(part: Part) -> None:
    advice = how_to_install(part)
    assert not _advice(advice)
    local, remote = re.findall(r"`pip install (.+?)`", advice)
    of_folders = re.findall(r"'?\./([\w/]+)(?:\[(\w+)\])?'?", local)
    of_address = re.findall(r"'([\w-]+)(?:\[(\w+)\])? @ git\+ADDRESS#subdirectory=([\w/]+)'", remote)
    assert of_folders == [(folder, extra) for _, extra, folder in of_address]
    for name, extra, folder in of_address:
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["name"] == name
        wanted = project.get("optional-dependencies", {}).get(extra, [])
        assert bool(wanted) == bool(extra)
        ours = {one for one in wanted if one.startswith("milvus-otel-")}
        assert ours <= {given for given, _, _ in of_address}, "pip looks for these in an index"


def test_the_readme_has_the_same_lines() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for part in ("demo", "native"):
        local = re.findall(r"`(pip install .+?)`", how_to_install(part))[0]
        assert f"\n{local} " in page


def test_the_catalogue_lacks_what_its_extra_names() -> None:
    project = tomllib.loads((ROOT / "processor" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (wanted,) = project["optional-dependencies"]["catalogue"]
    assert f"`pip install '{wanted}'`" == CATALOGUE


def test_where_there_is_no_wheel_of_milvus_the_demo_does_not_say_to_install_it() -> None:
    assert how_to_install("demo") in _without_wheel("Linux", "x86_64")
    for system, machine in (("Darwin", "arm64"), ("Linux", "aarch64")):
        message = _without_wheel(system, machine)
        assert f"this is {system} on {machine}. Run the whole stack in containers instead" in message
        assert "pip install" not in message


def test_an_extra_of_which_a_store_is_missing_says_how_it_is_had() -> None:
    assert how_to_install("native") in stores._NOT_INSTALLED
    assert "`pip install --force-reinstall --no-deps ./processor/core` in a checkout" in stores._INSTALL_ANEW

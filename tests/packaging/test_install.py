"""Every install line of the documents works in an empty environment, and the files of a release are whole."""

import re
import shlex
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.peers.missing import require_command

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "client/README.md",
    "processor/README.md",
    *(f"docs/{page.name}" for page in ROOT.glob("docs/*.md")),
)
LINES = sorted(
    {
        line.strip()
        for page in PAGES
        for line in re.findall(r"pip install ((?:[^\n`#]|#subdirectory)+)", (ROOT / page).read_text(encoding="utf-8"))
        if re.search(r"\./(client|processor)|git\+", line)  # not what is a file of a release, or of another project
    }
)
ASKS = {
    "client": "import milvus_otel_client as client; print(client.__version__)",
    "core": "import milvus_otel_core",
    "processor": "from milvus_otel_processor.cli import main; main(['validate'])",
}

pytestmark = pytest.mark.timeout(600)


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_there_are_lines_from_a_checkout_and_from_a_repository():
    assert any(line.startswith("'./client") for line in LINES)
    assert any("git+<this repository>#subdirectory=processor" in line for line in LINES)


@pytest.mark.parametrize("line", LINES)
def test_an_install_line_works_in_an_empty_environment(line: str, tmp_path: Path):
    uv = require_command("uv", "an empty environment")
    if "processor/core" in line:
        require_command("cargo", "the native store")
    repository = tmp_path / "repository.git"
    run("git", "clone", "--quiet", "--bare", ROOT, repository)
    packages = shlex.split(line.replace("<this repository>", repository.as_uri()))
    python = tmp_path / "environment" / "bin" / "python"
    run(uv, "venv", "--quiet", tmp_path / "environment")
    # pip knows nothing of where uv finds the members of the workspace
    run(uv, "pip", "install", "--quiet", "--no-sources", "--python", python, *packages)
    for package, ask in ASKS.items():
        if any(re.search(rf"[/=]{package}\b(?!/)", word) for word in packages):
            run(python, "-c", ask)


def test_the_files_of_a_release_are_whole(tmp_path: Path):
    require_command("uv", "building packages")
    run(ROOT / "scripts" / "release", tmp_path)
    for package in ("client", "processor"):
        project = tomllib.loads((ROOT / package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        stem = f"{project['name'].replace('-', '_')}-{project['version']}"
        with zipfile.ZipFile(tmp_path / f"{stem}-py3-none-any.whl") as wheel:
            metadata = wheel.read(f"{stem}.dist-info/METADATA").decode()
            names = wheel.namelist()
        assert f"{stem}.dist-info/licenses/LICENSE" in names
        assert any(name.endswith("/py.typed") for name in names)
        assert not [name for name in names if "/tests/" in name or name.startswith("tests")]
        for field in ("Project-URL: Source, ", "Project-URL: Changelog, ", "Keywords: ", "Classifier: ", "Author: "):
            assert f"\n{field}" in metadata, field
        with tarfile.open(tmp_path / f"{stem}.tar.gz") as source:
            assert f"{stem}/README.md" in source.getnames()
        sbom = (tmp_path / f"{project['name']}-{project['version']}.cdx.json").read_text(encoding="utf-8")
        assert all(re.split(r"[>=<\[]", one)[0].replace(".", "-") in sbom for one in project["dependencies"])


def test_both_members_have_the_license_of_the_project():
    license_ = (ROOT / "LICENSE").read_bytes()
    assert {(ROOT / member / "LICENSE").read_bytes() for member in ("client", "processor")} == {license_}

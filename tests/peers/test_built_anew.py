"""What is built on first use is built on a machine that has nothing yet: small stand-ins for the builders, real files."""

import lzma
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from milvus_otel_processor.demo import wheel

from tests.client_e2e import test_versions
from tests.frameworks import test_frameworks
from tests.peers import debian
from tests.peers.__main__ import PRODUCT_MANIFEST
from tests.peers.cache import built
from tests.peers.collector import PEER_MANIFEST, collector_binary
from tests.peers.jaeger import jaeger_binary
from tests.support.builders import Machine

BUILDER = """
[ "$1" = run ] && [ "$3 $4" = "--config builder.yaml" ]
name=$(sed -n 's/^  name: //p' builder.yaml)
mkdir build && printf 'made for %s' "$name" > "build/$name"
"""
MODULE = """
case "$1 $2" in
"mod download") printf '{"Dir": "%s/module"}' "$FOLDER" ;;
build*) while [ "$1" != -o ]; do shift; done; cat main.go > "$2" ;;
esac
"""
DEBOOTSTRAP = """
root=$4
mkdir -p "$root/etc/ssl/certs" "$root/usr/share/doc/perl" "$root/usr/share/man" "$root/usr/share/locale" \
    "$root/var/cache/apt/archives" "$root/var/lib/apt/lists" "$root/usr/bin"
printf python > "$root/usr/bin/python3.14"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("manifest", "name"),
    [(PEER_MANIFEST, "otelcol-peer"), (PRODUCT_MANIFEST, "otelcol-milvus")],
    ids=["peer", "product"],
)
def test_a_collector_is_built_from_its_manifest_and_then_kept(machine: Machine, manifest: Path, name: str):
    machine.program("go", BUILDER)
    for _ in range(2):
        binary = collector_binary.__wrapped__(manifest)
        assert binary.read_text(encoding="utf-8") == f"made for {name}"
    assert len(machine.calls()) == 1
    assert {path.name for path in binary.parent.iterdir()} == {"builder.yaml", "otelcol"}


def test_a_collector_that_cannot_be_built_says_why_and_leaves_nothing(machine: Machine):
    machine.program("go", 'echo "no such component" >&2; exit 3')
    with pytest.raises(RuntimeError, match=r"builder@v.* exited with 3:\nno such component"):
        collector_binary.__wrapped__(PEER_MANIFEST)
    assert machine.kept() == set()


def test_jaeger_is_built_from_a_copy_of_its_module(machine: Machine):
    machine.program("go", MODULE)
    module = machine.folder / "module"
    (module / "cmd").mkdir(parents=True)
    (module / "main.go").write_text("package main", encoding="utf-8")
    for path in (module / "main.go", module / "cmd", module):
        path.chmod(0o555 if path.is_dir() else 0o444)  # as in Go's cache
    binary = jaeger_binary.__wrapped__()
    assert binary.read_text(encoding="utf-8") == "package main"
    assert {path.name for path in binary.parent.iterdir()} == {"jaeger"}
    assert stat.S_IMODE(module.stat().st_mode) == 0o555


def test_a_module_that_cannot_be_downloaded_is_a_missing_part(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CI", raising=False)
    machine.program("go", """printf '{"Error": "no such version"}'""")
    with pytest.raises(pytest.skip.Exception, match="cannot be downloaded: no such version"):
        jaeger_binary.__wrapped__()
    assert machine.kept() == set()


@pytest.fixture
def _as_root_on_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(debian, "_mirror", lambda: "mirror")


@pytest.mark.usefixtures("_as_root_on_debian")
def test_a_debian_root_is_made_slim_and_with_a_python_in_usr_local(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(debian, "CA_BUNDLE", Path("/etc/ssl/certs/none.crt"))
    machine.program("debootstrap", DEBOOTSTRAP)
    machine.program("chroot", 'mkdir -p "$1/usr/local/bin" && printf venv > "$1/usr/local/bin/python"')
    for _ in range(2):
        root = debian.debian_root.__wrapped__()
    made, entered = machine.calls()
    assert made.endswith("/root mirror sid")
    assert f"--include={debian.PACKAGES} {debian.SUITE} " in made
    assert entered.endswith("/root python3.14 -m venv /usr/local")
    assert (root / "usr/local/bin/python").exists()
    assert not (root / "usr/share/doc").exists()
    assert {*debian.MOUNT_POINTS, *debian.MOUNTED_FILES} <= {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.mark.usefixtures("_as_root_on_debian")
def test_a_debian_root_that_cannot_be_made_says_why_and_leaves_nothing(machine: Machine):
    machine.program("debootstrap", 'mkdir -p "$4/half" && echo "E: no such suite" && exit 1')
    with pytest.raises(RuntimeError, match="exited with 1:\nE: no such suite"):
        debian.debian_root.__wrapped__()
    assert machine.kept() == set()


def test_an_environment_with_another_pymilvus_is_made_with_the_projects_pins(machine: Machine):
    machine.program(
        "uv",
        """
        if [ "$1" = venv ]; then mkdir -p "$4/bin" && printf python > "$4/bin/python"
        else cp constraints.txt "$FOLDER/pins"; fi
        """,
    )
    for _ in range(2):
        assert test_versions.environment("2.5.18").read_text(encoding="utf-8") == "python"
    _venv, install = machine.calls()
    assert install.endswith(" pymilvus==2.5.18")
    pins = (machine.folder / "pins").read_text(encoding="utf-8").splitlines()
    assert any(pin.startswith("grpcio==") for pin in pins)
    assert not any(pin.startswith("pymilvus==") for pin in pins)


@pytest.mark.parametrize("name", test_frameworks.FRAMEWORKS)
def test_an_environment_with_a_framework_is_made_from_its_pins_and_then_kept(machine: Machine, name: str):
    machine.program(
        "uv",
        """
        if [ "$1" = venv ]; then for venv; do :; done; mkdir -p "$venv/bin" && printf python > "$venv/bin/python"
        else cp requirements.txt "$FOLDER/pins"; fi
        """,
    )
    for _ in range(2):
        assert test_frameworks.environment(name).read_text(encoding="utf-8") == "python"
    venv, install = machine.calls()
    assert "--relocatable" in venv
    assert install.endswith(f" -e {test_frameworks.CLIENT}")
    pins = (machine.folder / "pins").read_text(encoding="utf-8").splitlines()
    assert all("==" in pin for pin in pins if pin and not pin.startswith("#"))


def test_an_environment_that_cannot_be_made_leaves_nothing(machine: Machine):
    machine.program("uv", 'if [ "$1" = venv ]; then mkdir venv; else exit 2; fi')
    with pytest.raises(subprocess.CalledProcessError):
        test_frameworks.environment("langchain")
    assert machine.kept() == set()


def test_milvus_is_unpacked_from_its_wheel_as_programs(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    packed = machine.folder / "data" / "bin"
    packed.mkdir(parents=True)
    for name in ("milvus", "libmilvus_core.so"):
        with lzma.open(packed / f"{name}.lzma", "wb") as file:
            file.write(name.encode() * 1000)
    monkeypatch.setattr(wheel, "data_folder", lambda: packed.parent)
    for _ in range(2):
        folder = wheel.unpack(machine.cache)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: name.encode() * 1000 for name in ("milvus", "libmilvus_core.so")
    }
    assert os.access(folder / "milvus", os.X_OK)
    assert machine.kept() == {folder.name}


def test_the_time_that_a_build_takes_is_not_the_tests(machine: Machine):
    during: list[tuple[float, float]] = []
    before = signal.getitimer(signal.ITIMER_REAL)
    built("part", "f" * 12, "a moment", lambda _: during.append(signal.getitimer(signal.ITIMER_REAL)))
    assert during == [(0.0, 0.0)]
    assert bool(signal.getitimer(signal.ITIMER_REAL)[0]) == bool(before[0])


def test_what_was_not_used_for_weeks_is_removed_when_its_successor_is_built(machine: Machine):
    unused, used = (built("part", key * 12, "a moment", lambda _: None) for key in "ab")
    other = built("part-of-something", "c" * 12, "a moment", lambda _: None)
    for folder in (unused, other):
        os.utime(folder, (0, 0))
    newest = built("part", "d" * 12, "a moment", lambda _: None)
    assert machine.kept() == {used.name, other.name, newest.name}


def test_a_build_says_what_it_does_and_where(machine: Machine, capsys: pytest.CaptureFixture[str]):
    folder = built("part", "e" * 12, "five minutes", lambda _: None)
    assert capsys.readouterr().err == f"\nbuilding part into {folder} (once; five minutes)\n"
    assert machine.kept() == {folder.name}

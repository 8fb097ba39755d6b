"""The stack's engine and images are made on a machine that has nothing yet: small stand-ins for Docker, real files."""

import gc
import io
import tarfile
from pathlib import Path

import pytest
from milvus_otel_processor.demo import wheel

from tests.stack import standins
from tests.stack.engine import Docker, docker_configuration, engine
from tests.stack.standins import build_standins, import_python
from tests.support.builders import Machine

TEMPLATE = "etcd: {{ etcd_data_dir(path) }}\nport: {{ proxy_port: 19530 }}\nuser: {{ user }}\n"
DOCKER = """
case "$1" in
images) if [ -e "$FOLDER/imported.tar" ]; then echo sha256:1; fi ;;
import) cat > "$FOLDER/imported.tar" ;;
build) for last; do :; done; cp -r "$last" "$FOLDER/image-${3%%:*}" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path, monkeypatch)
    machine.program("docker", DOCKER.replace("image-${3%%:*}", 'image-$(basename "${3%%:*}")'))
    configuration = tmp_path / "docker-configuration"
    monkeypatch.setattr("tests.stack.engine.docker_configuration", lambda: configuration)
    root = tmp_path / "debian-root" / "root"
    (root / "usr").mkdir(parents=True)
    (root / "usr" / "python").write_bytes(b"python" * 100_000)  # more than a pipe holds
    monkeypatch.setattr(standins, "debian_root", lambda: root)
    return machine


def test_compose_is_built_from_its_module_as_the_only_plugin(machine: Machine):
    machine.program(
        "go",
        """
        case "$1 $2" in
        "mod download") mkdir -p "$FOLDER/module" && printf '{"Dir": "%s/module"}' "$FOLDER" ;;
        build*) while [ "$1" != -o ]; do shift; done; printf compose > "$2" ;;
        esac
        """,
    )
    folder = docker_configuration.__wrapped__()
    assert [str(path.relative_to(folder)) for path in folder.rglob("*")] == [
        "cli-plugins",
        "cli-plugins/docker-compose",
    ]


def test_the_python_image_is_imported_once_and_whole(machine: Machine):
    for _ in range(2):
        import_python(Docker(), "python:3-slim")
    gc.collect()  # a pipe that was left open would be an error here
    with tarfile.open(machine.folder / "imported.tar") as imported:
        files = {member.name for member in imported if member.isfile()}
    assert files == {"./usr/python", *standins.LAGGING_MIRROR}
    assert [call.split()[1] for call in machine.calls()] == ["images", "import", "images"]


def test_a_failed_import_says_what_docker_said_and_leaves_no_pipe_open(machine: Machine):
    machine.program("docker", 'if [ "$1" = import ]; then echo "no space left" >&2; exit 1; fi')
    with pytest.raises(RuntimeError, match="exited with 1:\nno space left"):
        import_python(Docker(), "python:3-slim")
    gc.collect()


def test_each_image_is_built_from_a_folder_that_has_all_it_copies(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    program = machine.folder / "program"
    program.write_text("a program", encoding="utf-8")
    for name in ("collector_binary", "jaeger_binary"):
        monkeypatch.setattr(standins, name, lambda: program)
    for name in ("BUSYBOX", "CA_BUNDLE"):
        path = machine.folder / {"BUSYBOX": "busybox", "CA_BUNDLE": "ca-certificates.crt"}[name]
        path.write_text(name, encoding="utf-8")
        monkeypatch.setattr(standins, name, path)
    data = machine.folder / "data"
    (data / "bin").mkdir(parents=True)
    (data / "bin" / "milvus").write_text("milvus", encoding="utf-8")
    (data / "config.yaml.template").write_text(TEMPLATE, encoding="utf-8")
    (data / "glog.conf").touch()
    monkeypatch.setattr(wheel, "data_folder", lambda: data)
    monkeypatch.setattr(wheel, "unpack", lambda _: data / "bin")
    build_standins(Docker())
    for image in ("milvus", "opentelemetry-collector-contrib", "jaeger"):
        folder = machine.folder / f"image-{image}"
        for line in (folder / "Dockerfile").read_text(encoding="utf-8").splitlines():
            if line.startswith("COPY "):
                assert all((folder / source).exists() for source in line.split()[1:-1]), line
    rendered = (machine.folder / "image-milvus" / "milvus.yaml").read_text(encoding="utf-8")
    assert rendered == 'etcd: /var/lib/milvus/etcd\nport: 19530\nuser: ""\n'


def test_an_engine_that_cannot_run_here_is_a_missing_part_with_its_own_words(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("CI", raising=False)
    machine.cache.mkdir()
    machine.program("docker", "exit 1")
    machine.program("iptables", "")
    machine.program("dockerd", 'echo "cannot make a bridge"; exit 1')
    monkeypatch.setattr("os.geteuid", lambda: 0)
    folder = tmp_path_factory.mktemp("engine")
    with pytest.raises(pytest.skip.Exception, match="cannot make a bridge"), engine(folder):
        pass


def test_the_engine_is_asked_until_it_answers_and_ended_when_the_tests_are_over(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    # A cache folder that is not there yet: the lock, the images and the pidfile are in it.
    machine.program("docker", '[ -e "$FOLDER/up" ]')
    machine.program("iptables", "")
    machine.program("dockerd", 'touch "$FOLDER/up"; trap "rm $FOLDER/up; exit 0" TERM; while :; do sleep 0.05; done')
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with engine(tmp_path_factory.mktemp("engine")) as docker:
        assert docker.attempt("version").returncode == 0
    assert not (machine.folder / "up").exists()


def test_bytes_for_docker_come_from_any_file(machine: Machine):
    source = machine.folder / "source"
    source.write_bytes(b"layers")
    with source.open("rb") as file:
        Docker()("import", "-", "tag", stdin=file)
    assert io.BytesIO((machine.folder / "imported.tar").read_bytes()).read() == b"layers"

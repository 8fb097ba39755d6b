"""Stand-ins for the stack's images, under their own names: real parts, and no tool that the original lacks."""

import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from milvus_otel_processor.demo import wheel

from tests.peers.cache import cache_dir, fingerprint
from tests.peers.collector import collector_binary
from tests.peers.debian import CA_BUNDLE, debian_root
from tests.peers.jaeger import jaeger_binary
from tests.peers.missing import missing
from tests.peers.prometheus import prometheus_binary
from tests.stack.engine import ROOT, Docker

IMAGES = Path(__file__).with_name("images")
BUSYBOX = Path("/bin/busybox")
NAMES = ("milvus", "collector", "jaeger", "prometheus")


def versions() -> dict[str, str]:
    """The settings in the stack's .env."""
    lines = (ROOT / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def build_standins(docker: Docker) -> None:
    """Build all images that the stack pulls. Layers that are in the engine's cache are used again."""
    version = versions()
    python = f"python:{version['PYTHON_VERSION']}-slim"
    import_python(docker, python)
    with ExitStack() as stack:
        folders = {name: Path(stack.enter_context(TemporaryDirectory())) for name in NAMES}
        for name, folder in folders.items():
            shutil.copytree(IMAGES / name, folder, dirs_exist_ok=True)
        _fill_collector(folders["collector"])
        _fill_jaeger(folders["jaeger"])
        _fill_milvus(folders["milvus"])
        _fill_prometheus(folders["prometheus"])
        tags = {
            "milvus": f"milvusdb/milvus:{version['MILVUS_VERSION']}",
            "collector": f"otel/opentelemetry-collector-contrib:{version['COLLECTOR_VERSION']}",
            "jaeger": f"jaegertracing/jaeger:{version['JAEGER_VERSION']}",
            "prometheus": f"prom/prometheus:{version['PROMETHEUS_VERSION']}",
        }
        for name, tag in tags.items():
            docker("build", "--tag", tag, "--build-arg", f"PYTHON_IMAGE={python}", folders[name], timeout=600)


LAGGING_MIRROR = {"etc/apt/apt.conf.d/lagging-mirror": 'Acquire::Check-Valid-Until "false";\n'}
"""A mirror of Debian's testing may lag behind the date until which its lists are valid."""


def import_python(docker: Docker, tag: str) -> None:
    """Make the Debian root the image `tag`, once: a second import would be a new image, and nothing cached on it."""
    root = debian_root()
    label = f"root={root.parent.name}-{fingerprint(*LAGGING_MIRROR.values())}"
    if docker("images", "--quiet", "--filter", f"label={label}", tag).strip():
        return
    certificates = f"SSL_CERT_FILE={CA_BUNDLE} PIP_CERT={CA_BUNDLE} GRPC_DEFAULT_SSL_ROOTS_FILE_PATH={CA_BUNDLE}"
    changes = [
        f"ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin {certificates}",
        f"LABEL {label}",
        'CMD ["python3"]',
    ]
    arguments = [argument for change in changes for argument in ("--change", change)]
    with TemporaryDirectory() as more:
        for name, text in LAGGING_MIRROR.items():
            (Path(more) / name).parent.mkdir(parents=True)
            (Path(more) / name).write_text(text, encoding="utf-8")
        both = ["-C", str(root), ".", "-C", more, *LAGGING_MIRROR]
        with subprocess.Popen(["tar", "-c", *both], stdout=subprocess.PIPE) as tar:
            docker("import", *arguments, "-", tag, stdin=tar.stdout, timeout=600)
    if tar.returncode:
        raise RuntimeError(f"tar of {root} exited with {tar.returncode}")


def _fill_collector(folder: Path) -> None:
    shutil.copy(collector_binary(), folder / "otelcol")
    shutil.copy(CA_BUNDLE, folder)


def _fill_jaeger(folder: Path) -> None:
    if not BUSYBOX.exists():
        missing("the stand-in for Jaeger's image needs busybox (Debian's package busybox-static)")
    shutil.copy(jaeger_binary(), folder / "jaeger")
    shutil.copy(BUSYBOX, folder)


def _fill_prometheus(folder: Path) -> None:
    if not BUSYBOX.exists():
        missing("the stand-in for Prometheus' image needs busybox (Debian's package busybox-static)")
    shutil.copy(prometheus_binary(), folder / "prometheus")
    shutil.copy(BUSYBOX, folder)


def _fill_milvus(folder: Path) -> None:
    """Milvus' files as its image has them; the wheel's template of milvus.yaml names a default for most settings."""
    shutil.copytree(wheel.unpack(cache_dir()), folder / "bin")
    template = (wheel.data_folder() / "config.yaml.template").read_text(encoding="utf-8")
    folders = {"local_storage_dir": "data", "rocksmq_data_dir": "rdb_data", "etcd_data_dir": "etcd"}

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        return default if default is not None else f"/var/lib/milvus/{folders[name]}" if name in folders else '""'

    rendered = re.sub(r"\{\{ (\w+)(?:\(\w+\))?(?:: ([^ }]+))? \}\}", value, template)
    (folder / "milvus.yaml").write_text(rendered, encoding="utf-8")
    shutil.copy(wheel.data_folder() / "glog.conf", folder)

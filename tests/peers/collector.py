"""The OpenTelemetry Collector: built with its own builder from a manifest, run with any configuration."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from tests.peers.cache import built, fingerprint
from tests.peers.gobuild import go, require_go
from tests.peers.process import Part, free_port, running

VERSION = "0.158.0"
PEER_MANIFEST = Path(__file__).with_name("builder.yaml")


@cache
def collector_binary(manifest: Path = PEER_MANIFEST) -> Path:
    """A static Collector with the components of `manifest`, built on first use."""
    require_go()
    text = manifest.read_bytes()

    def build(folder: Path) -> None:
        shutil.copy(manifest, folder / "builder.yaml")
        builder = f"go.opentelemetry.io/collector/cmd/builder@v{VERSION}"
        go("run", builder, "--config", "builder.yaml", cwd=folder)
        (folder / "build" / _name(manifest)).rename(folder / "otelcol")
        shutil.rmtree(folder / "build")

    duration = "5 minutes on 2 cores without Go's build cache, seconds with it"
    return built("otelcol", fingerprint(VERSION, text), duration, build) / "otelcol"


def _name(manifest: Path) -> str:
    name: str = YAML(typ="safe").load(manifest)["dist"]["name"]
    return name


@dataclass(frozen=True)
class Validation:
    """What `otelcol validate` said about a configuration."""

    accepted: bool
    output: str


def validate(
    *configurations: Path, environment: Mapping[str, str] | None = None, manifest: Path = PEER_MANIFEST
) -> Validation:
    """Load `configurations`, merged as the Collector merges them, without starting anything."""
    arguments = [argument for path in configurations for argument in ("--config", str(path))]
    result = subprocess.run(
        [collector_binary(manifest), "validate", *arguments],
        env=dict(environment or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Validation(result.returncode == 0, result.stdout + result.stderr)


@contextmanager
def collector(
    configuration: str, folder: Path, environment: Mapping[str, str] | None = None, arguments: Sequence[str] = ()
) -> Iterator[Part]:
    """Run the peer Collector with `configuration`, YAML text, and `arguments`; its log and files are in `folder`.

    Ready when its `health_check` extension answers, which is added on a free port, and so must not be configured;
    the Collector's own metrics are switched off unless `configuration` has a `service.telemetry` block.
    """
    port = free_port()
    settings = YAML(typ="safe").load(configuration)
    settings.setdefault("extensions", {})["health_check"] = {"endpoint": f"127.0.0.1:{port}"}
    service = settings["service"]
    service["extensions"] = [*service.get("extensions", []), "health_check"]
    service.setdefault("telemetry", {"metrics": {"level": "none"}})
    path = folder / f"collector-{port}.yaml"
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")  # JSON is YAML
    command = [str(collector_binary()), "--config", str(path), *arguments]
    with running(command, path.with_suffix(".log"), f"http://127.0.0.1:{port}/", environment) as part:
        yield part

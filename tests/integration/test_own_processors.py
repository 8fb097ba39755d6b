"""docs/own-processors.md is true: its package is built, installed and run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.peers.missing import require_command
from tests.support.spans import attributes_of, encoded, span

if TYPE_CHECKING:
    from tests.support.spans import Attributes

PAGE = (Path(__file__).parents[2] / "docs" / "own-processors.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
COMMAND = Path(sys.executable).with_name("milvus-otel")
CLASS = "shop_processors:Team"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the example's package is installed, beside all that is there."""
    uv = require_command("uv", "an installed processor of a user's own")
    source, target = tmp_path_factory.mktemp("shop"), tmp_path_factory.mktemp("installed")
    (source / "pyproject.toml").write_text(BLOCKS["toml"], encoding="utf-8")
    module = source / "src" / "shop_processors"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text(BLOCKS["python"], encoding="utf-8")
    # uv has the backend that the example names in itself, so that nothing is downloaded.
    install = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", sys.executable, "--target"]
    subprocess.run([*install, str(target), str(source)], check=True)
    return {**os.environ, "PYTHONPATH": str(target)}


def milvus_otel(*arguments: str, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def replayed(folder: Path, env: dict[str, str], configuration: str, *spans: Attributes) -> list[dict[str, object]]:
    """The attributes of the spans that are kept, each in a trace of its own."""
    (folder / "config.yaml").write_text(configuration, encoding="utf-8")
    now = 1_795_000_000_000
    requests = [
        encoded(span(number, name="query", start_ms=now, end_ms=now + 5, attributes=attributes), resource={})
        for number, attributes in enumerate(spans, 1)
    ]
    content = b"".join(len(request).to_bytes(4, "big") + request for request in requests)
    (folder / "recorded.binpb").write_bytes(content)
    done = milvus_otel(
        "replay", "--config", "config.yaml", "--out", "kept.binpb", "recorded.binpb", env=env, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    kept, found = (folder / "kept.binpb").read_bytes(), []
    while kept:
        size = int.from_bytes(kept[:4], "big")
        request = ExportTraceServiceRequest.FromString(kept[4 : 4 + size])
        kept = kept[4 + size :]
        for resource in request.resource_spans:
            found += [attributes_of(one.SerializeToString()) for scope in resource.scope_spans for one in scope.spans]
    return found


def on(collection: str) -> Attributes:
    return {"db.system.name": "milvus", "db.collection.name": collection}


def test_the_example_is_valid_and_its_rule_keeps_what_it_names(installed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(BLOCKS["yaml"], encoding="utf-8")
    checked = milvus_otel("validate", "--config", "config.yaml", env=installed, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr == ""
    kept = replayed(tmp_path, installed, BLOCKS["yaml"], on("products"), on("users"), on("orders"))
    assert [(one["db.collection.name"], one["shop.team"]) for one in kept] == [("products", "search")]


def test_behind_the_rules_it_sees_what_they_keep(installed: dict[str, str], tmp_path: Path) -> None:
    rule = "{name: slow, type: latency, latency: {threshold_ms: 1}}"
    changed = re.sub(r"\{name: search-team.*\}", rule, BLOCKS["yaml"])
    changed = changed.replace('"shop_processors:Team", tail_sampling', 'tail_sampling, "shop_processors:Team"')
    kept = replayed(tmp_path, installed, changed, on("users"), on("orders"), {})
    assert [one.get("shop.team") for one in kept] == ["accounts", "platform", None]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("otherwise: platform", "otherwize: platform", f"7: processors.{CLASS}.otherwize: is not a known key"),
        ("{products: search, users: accounts}", "{}", f"6: processors.{CLASS}.teams: "),
        ("{products: search, users: accounts}", "7", f"6: processors.{CLASS}.teams: 7 is a number, expected a mapping"),
        (CLASS, "shop_processors:Taem", "5: processors.shop_processors:Taem: cannot be imported: AttributeError"),
        (CLASS, "no_such_package:Team", "5: processors.no_such_package:Team: cannot be imported: ModuleNotFoundError"),
        (CLASS, "pathlib:Path", "5: processors.pathlib:Path: is no processor; expected a subclass of"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(
    installed: dict[str, str], tmp_path: Path, before: str, after: str, told: str
) -> None:
    (tmp_path / "config.yaml").write_text(BLOCKS["yaml"].replace(before, after), encoding="utf-8")
    done = milvus_otel("validate", "--config", "config.yaml", env=installed, cwd=tmp_path)
    assert done.returncode == 1
    assert f"config.yaml:{told}" in re.sub(r"(config.yaml:\d+):\d+", r"\1", done.stderr)
    assert "Traceback" not in done.stderr

"""The real process, whose rules change while it runs."""

from __future__ import annotations

import shutil
import signal
import subprocess
from itertools import cycle
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from tests.integration.test_run import Process
from tests.peers.missing import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIG = """\
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}}}}
processors: {tail_sampling: "${file:rules.yaml}"}
exporters: {otlp: {endpoint: "127.0.0.1:1", tls: {insecure: true}}}
service: {pipelines: {traces: {receivers: [otlp], processors: [tail_sampling], exporters: [otlp]}}}
"""
LIMIT = 2.0
"""Seconds from a change to its effect. What else the machine does only adds to them, so the fastest of three changes counts."""


def rules(name: str) -> str:
    return f"decision_wait: 1h\npolicies:\n  - name: {name}\n    type: always_sample\n"


class Following(Process):
    """`milvus-otel run` with the configuration in a folder, which it may see through a mount."""

    def __init__(self, folder: Path, seen_as: Path | None = None) -> None:
        self.folder = folder
        (folder / "config.yaml").write_text(CONFIG)
        (folder / "rules.yaml").write_text(rules("first"))
        config = (seen_as or folder) / "config.yaml"
        super().__init__("--config", str(config))

    def replace_rules(self, text: str) -> None:
        """Replace the file as editors do: another one under the same name."""
        (self.folder / "new").write_text(text)
        (self.folder / "new").rename(self.folder / "rules.yaml")

    def stop(self) -> None:
        self.process.kill()
        self.end()
        assert self.process.stderr is not None
        self.process.stderr.close()


def fastest(following: Following, ways: list[Callable[[str], object]]) -> float:
    """Change the rules three times, in these ways in turn; the seconds that the change took that was the fastest to be seen."""
    seconds = []
    for name, write in zip(("second", "third", "fourth"), cycle(ways)):
        begin = monotonic()
        write(rules(name))
        assert following.line_with("rules reloaded").endswith(f" rules={name}")
        seconds.append(monotonic() - begin)
    return min(seconds)


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    process = Following(tmp_path)
    process.line_with("started")
    yield process
    process.stop()


def test_a_changed_file_takes_effect_within_two_seconds(following: Following) -> None:
    assert fastest(following, [(following.folder / "rules.yaml").write_text]) < LIMIT


def test_a_replaced_file_takes_effect_within_two_seconds(following: Following) -> None:
    assert fastest(following, [following.replace_rules]) < LIMIT


def test_sighup_loads_anew_and_does_not_end_it(following: Following) -> None:
    following.process.send_signal(signal.SIGHUP)
    following.line_with("reloaded, nothing has changed")
    following.replace_rules(rules("second"))
    following.process.send_signal(signal.SIGHUP)
    assert following.line_with("rules reloaded").endswith(" rules=second")
    following.process.send_signal(signal.SIGTERM)
    assert following.end() == 0


def test_a_broken_file_is_said_with_its_line_and_a_mended_one_takes_effect(following: Following) -> None:
    following.replace_rules(rules("second").replace("always_sample", "always_simple"))
    line = following.line_with("not reloaded")
    assert f" error not reloaded, the rules stay as they are: {following.folder}/rules.yaml:4: " in line
    following.replace_rules(rules("third"))
    assert following.line_with("rules reloaded").endswith(" rules=third")
    assert following.process.poll() is None


def test_what_needs_a_restart_is_said(following: Following) -> None:
    (following.folder / "config.yaml").write_text(CONFIG.replace("127.0.0.1:1", "127.0.0.1:2"))
    assert following.line_with("needs a restart").endswith(" keys=exporters.otlp.endpoint")


def test_a_file_changed_on_the_other_side_of_a_bind_mount_takes_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, container = tmp_path / "host", tmp_path / "container"
    host.mkdir()
    container.mkdir()
    mount = ["unshare", "--mount", "sh", "-c", f'mount --bind "{host}" "{container}" && exec "$0" "$@"']
    if shutil.which("unshare") is None or subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        missing("a mount of its own needs root and the right to mount")
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **more: start([*mount, *command], **more))
    process = Following(host, seen_as=container)
    try:
        process.line_with("started")
        assert fastest(process, [process.replace_rules, (host / "rules.yaml").write_text]) < LIMIT
    finally:
        process.stop()

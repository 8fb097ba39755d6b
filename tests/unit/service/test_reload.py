from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.config import load_config
from milvus_otel_processor.config.files import fingerprint
from milvus_otel_processor.service.reload import Reloader, WatchedFiles, changes

from tests.unit.config.conftest import CONFIG, SAMPLING, ConfigFolder

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

OTHER_RULES = SAMPLING.replace("threshold_ms: 1000", "threshold_ms: 5")


class Watched(ConfigFolder):
    """A configuration that is followed: `looks` is what the thread that follows it does."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.write("config.yaml", CONFIG)
        self.write("sampling.yaml", SAMPLING)
        self.replaced: list[TailSamplingSettings] = []
        self.told: list[list[str]] = []
        """What was wrong at each reload."""
        files = WatchedFiles()
        load = partial(load_config, path / "config.yaml", environ={}, on_read=files.note)
        self.files = files
        self.renewed: list[list[str]] = []
        """What the next looks at certificates and tokens find changed."""
        self.headers: list[dict[str, str]] = []
        self.reloader = Reloader(
            load().config,
            files,
            load,
            self.replaced.append,
            lambda problems: self.told.append([str(problem) for problem in problems]),
            replace_headers=lambda headers: self.headers.append(dict(headers)),
            renew=lambda: self.renewed.pop() if self.renewed else [],
        )

    def looks(self, times: int = 3) -> None:
        for _ in range(times):
            if self.files.changed():
                self.reloader.reload()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")


def test_nothing_is_done_while_nothing_changes(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.looks(10)
    assert watched.replaced == []
    assert messages(caplog) == []


def test_a_changed_include_takes_effect(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.write("sampling.yaml", OTHER_RULES)
    watched.looks()
    (rules,) = watched.replaced
    assert rules == watched.load().tail_sampling
    assert messages(caplog) == ["rules reloaded"]
    assert caplog.records[0].__dict__["rules"] == ["errors", "slow"]


def test_a_change_is_taken_once(watched: Watched) -> None:
    watched.write("sampling.yaml", OTHER_RULES)
    watched.looks(10)
    assert len(watched.replaced) == 1


def test_a_change_is_taken_when_two_looks_in_a_row_see_the_same(watched: Watched) -> None:
    watched.write("sampling.yaml", OTHER_RULES[:-40])
    watched.looks(1)
    watched.write("sampling.yaml", OTHER_RULES)
    watched.looks(1)
    assert watched.replaced == []
    watched.looks(1)
    assert len(watched.replaced) == 1


def test_a_file_replaced_by_another_under_its_name_takes_effect(watched: Watched) -> None:
    watched.write("sampling.yaml.new", OTHER_RULES)
    os.replace(watched.path / "sampling.yaml.new", watched.path / "sampling.yaml")  # noqa: PTH105 - what editors do
    watched.looks()
    assert len(watched.replaced) == 1


def test_a_link_that_points_elsewhere_takes_effect(watched: Watched) -> None:
    # A ConfigMap of Kubernetes is a link that is replaced.
    file = watched.path / "sampling.yaml"
    file.rename(watched.path / "old.yaml")
    file.symlink_to("old.yaml")
    watched.looks()
    watched.write("new.yaml", OTHER_RULES)
    file.unlink()
    file.symlink_to("new.yaml")
    watched.looks()
    assert len(watched.replaced) == 1


def test_a_change_that_keeps_size_and_time_is_seen(watched: Watched) -> None:
    file = watched.path / "sampling.yaml"
    before = file.stat()
    watched.write("sampling.yaml", SAMPLING.replace("1000", "2000"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    watched.looks()
    assert len(watched.replaced) == 1


def test_a_new_time_alone_is_no_change(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    (watched.path / "sampling.yaml").touch()
    watched.looks()
    assert messages(caplog) == []


def test_a_broken_file_changes_nothing_and_is_named_with_its_line(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.write("sampling.yaml", SAMPLING.replace("latency: {threshold_ms: 1000}", "latency: {treshold_ms: 1000}"))
    watched.looks(10)
    assert watched.replaced == []
    (message,) = messages(caplog)
    assert message.startswith(
        f"not reloaded, the rules stay as they are: {watched.path}/sampling.yaml:8: "
        "processors.tail_sampling.policies[1].latency.treshold_ms: "
    )
    watched.write("sampling.yaml", SAMPLING)
    watched.looks()
    assert watched.told == [[message.partition("as they are: ")[2]], []]


@pytest.mark.parametrize("content", [b"", b"policies: [", b"\xff\xfe\x00", b"policies: []"])
def test_whatever_is_in_a_broken_file_it_changes_nothing(
    watched: Watched, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (watched.path / "sampling.yaml").write_bytes(content)
    watched.looks()
    assert watched.replaced == []
    assert {record.levelname for record in caplog.records} == {"ERROR"}


def test_a_broken_file_that_is_mended_takes_effect(watched: Watched) -> None:
    watched.write("sampling.yaml", "policies: [")
    watched.looks()
    watched.write("sampling.yaml", OTHER_RULES)
    watched.looks()
    assert len(watched.replaced) == 1


def test_a_file_that_goes_and_comes_back_takes_effect(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    (watched.path / "sampling.yaml").unlink()
    watched.looks()
    assert "No such file" in messages(caplog)[0]
    watched.write("sampling.yaml", OTHER_RULES)
    watched.looks()
    assert len(watched.replaced) == 1


def test_a_new_include_is_followed_and_one_that_is_left_out_is_not(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.write("more.yaml", OTHER_RULES)
    watched.write("config.yaml", CONFIG.replace("sampling.yaml", "more.yaml"))
    watched.looks()
    watched.write("more.yaml", OTHER_RULES.replace("10s", "20s"))
    watched.looks()
    assert [rules.decision_wait for rules in watched.replaced] == [10.0, 20.0]
    caplog.clear()
    watched.write("sampling.yaml", "policies: [")
    watched.looks()
    assert messages(caplog) == []


def test_an_include_that_was_missing_takes_effect_when_it_comes(watched: Watched) -> None:
    watched.write("config.yaml", CONFIG.replace("sampling.yaml", "more.yaml"))
    watched.looks()
    watched.write("more.yaml", OTHER_RULES)
    watched.looks()
    assert len(watched.replaced) == 1


def test_what_is_not_a_rule_needs_a_restart_and_the_rules_take_effect_all_the_same(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.write(
        "config.yaml", CONFIG.replace("jaeger:4317", "tempo:4317").replace("insecure: true", "insecure: false")
    )
    watched.write("sampling.yaml", OTHER_RULES)
    watched.looks()
    assert len(watched.replaced) == 1
    assert messages(caplog) == ["rules reloaded", "changed, but needs a restart to take effect"]
    assert caplog.records[1].__dict__["keys"] == ["exporters.otlp.endpoint", "exporters.otlp.tls.insecure"]


def test_a_change_outside_of_the_rules_does_not_replace_them(watched: Watched) -> None:
    watched.write("config.yaml", CONFIG.replace("jaeger:4317", "tempo:4317"))
    watched.looks()
    assert watched.replaced == []


def test_rules_cannot_come_or_go_without_a_restart(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.write("config.yaml", CONFIG.replace("[milvus, tail_sampling]", "[milvus]"))
    watched.looks()
    assert watched.replaced == []
    assert caplog.records[-1].getMessage() == "changed, but needs a restart to take effect"
    assert "service.pipelines.traces.processors" in caplog.records[-1].__dict__["keys"]


def test_the_values_that_changed_are_not_logged(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.write("config.yaml", CONFIG.replace("jaeger:4317", "jaeger:4317\n    headers: {authorization: secret}"))
    watched.looks()
    assert caplog.records
    assert not any("secret" in str(record.__dict__) for record in caplog.records)


def test_asked_to_it_reads_certificates_again_and_says_which_have_changed(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.renewed.append(["exporters.otlp.tls"])
    watched.reloader.reload()
    assert messages(caplog) == ["certificates or tokens have changed, new connections use them"]
    assert caplog.records[0].__dict__["keys"] == ["exporters.otlp.tls"]


def test_headers_of_the_exporter_that_have_changed_take_effect_without_a_restart(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.write("config.yaml", CONFIG.replace("jaeger:4317", "jaeger:4317\n    headers: {x-token: '${file:token}'}"))
    watched.write("token", "one")
    watched.looks()
    watched.write("token", "two")
    watched.looks()
    assert watched.headers == [{"x-token": "one"}, {"x-token": "two"}]
    assert messages(caplog) == ["the exporter's headers have changed"] * 2
    assert not any("one" in str(record.__dict__["keys"]) for record in caplog.records)


def test_asked_to_it_loads_anew_though_nothing_has_changed(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.reloader.reload()
    assert watched.replaced == []
    assert messages(caplog) == ["reloaded, nothing has changed"]


def test_asked_to_it_does_not_wait_for_the_next_look(watched: Watched) -> None:
    watched.write("sampling.yaml", OTHER_RULES)
    watched.reloader.reload()
    assert len(watched.replaced) == 1
    watched.looks(10)
    assert len(watched.replaced) == 1


def test_warnings_are_logged_with_the_new_rules(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.write("config.yaml", CONFIG.replace("exporters:\n", "exporters:\n  otlp/other: {endpoint: b:4317}\n"))
    watched.looks()
    assert "is not used" in messages(caplog)[0]


def test_a_pipe_is_not_read_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert fingerprint(pipe) is None  # and has not waited for a writer


def test_a_file_that_cannot_be_read_has_no_content(tmp_path: Path) -> None:
    assert fingerprint(tmp_path) is None
    assert fingerprint(tmp_path / "missing") is None
    assert fingerprint(Path("a\0b")) is None


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({}, {}, set()),
        ({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [1]}}, set()),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a.c"}),
        ({"a": {"b": [1]}}, {"a": {"b": [1, 2]}}, {"a.b"}),
        ({"a": {"b": {"c": 1}}}, {"a": {}}, {"a.b"}),
        ({"a": None}, {"a": {"b": 1}}, {"a"}),
    ],
)
def test_changes_are_named_by_the_path_of_the_value(
    before: dict[str, object], after: dict[str, object], paths: set[str]
) -> None:
    assert set(changes(before, after)) == set(changes(after, before)) == paths

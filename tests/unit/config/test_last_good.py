"""Broken rules at a start: their last good copy is in force, and what is wrong is said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.config import ConfigError, LoadedConfig
from milvus_otel_processor.config import last_good as copies
from milvus_otel_processor.config.last_good import LastGood, load_with_last_good

from tests.unit.config.conftest import CONFIG, SAMPLING, ConfigFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BROKEN = SAMPLING.replace("threshold_ms: 1000", "threshold_ms: soon")


class Started(ConfigFolder):
    """A configuration that keeps a copy of its rules; `start` is what a start does."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.copy = path / "state" / "last-good.yaml"
        self.copy.parent.mkdir()
        self.write("config.yaml", CONFIG.replace("service:\n", f"service:\n  last_good_rules: {self.copy}\n"))
        self.write("sampling.yaml", SAMPLING)

    def start(self, *overrides: str) -> tuple[LoadedConfig, Sequence[str]]:
        loaded, broken = load_with_last_good(
            self.path / "config.yaml", overrides=overrides, environ={}, on_read=lambda _: None
        )
        if broken is None:
            copy = copies.of(loaded)
            assert copy is not None
            copy.save(loaded)
        return loaded, [self._short(str(one)) for one in broken.problems] if broken is not None else []


@pytest.fixture
def started(tmp_path: Path) -> Started:
    return Started(tmp_path)


def test_rules_that_are_broken_at_a_start_give_way_to_their_last_good_copy(started: Started) -> None:
    good, said = started.start()
    assert said == []
    started.write("sampling.yaml", BROKEN)
    loaded, said = started.start()
    assert loaded.config == good.config
    (problem,) = said
    assert problem.startswith("sampling.yaml:")
    assert '"soon"' in problem


@pytest.mark.parametrize(
    "broken", ["policies: [", "", "policies: []\n", "5"], ids=["no YAML", "empty", "no policy", "a number"]
)
def test_a_file_that_is_no_rules_at_all_is_broken_too(started: Started, broken: str) -> None:
    good, _ = started.start()
    started.write("sampling.yaml", broken)
    loaded, said = started.start()
    assert said
    assert loaded.config == good.config


def test_a_file_of_rules_that_is_gone_is_broken_too(started: Started) -> None:
    good, _ = started.start()
    (started.path / "sampling.yaml").unlink()
    loaded, said = started.start()
    assert "cannot be read" in said[0]
    assert loaded.config == good.config


def test_overrides_of_the_rules_are_in_the_copy_and_hold_for_it(started: Started) -> None:
    wait = "processors.tail_sampling.decision_wait=7s"
    started.start(wait)
    started.write("sampling.yaml", BROKEN)
    for overrides in ([wait], []):
        loaded, _ = started.start(*overrides)
        assert loaded.config.tail_sampling is not None
        assert loaded.config.tail_sampling.decision_wait == 7.0


def test_without_a_copy_or_where_more_is_wrong_it_does_not_start(started: Started) -> None:
    started.write("sampling.yaml", BROKEN)
    with pytest.raises(ConfigError, match="soon"):
        started.start()
    started.write("sampling.yaml", SAMPLING)
    started.start()
    started.write("sampling.yaml", BROKEN)
    with pytest.raises(ConfigError, match="soon"):
        started.start("exporters.otlp.endpoint=nowhere")


def test_without_the_setting_broken_rules_end_the_start(folder: ConfigFolder) -> None:
    folder.write("sampling.yaml", BROKEN)
    with pytest.raises(ConfigError, match="soon"):
        load_with_last_good(folder.path / "config.yaml", overrides=[], environ={}, on_read=lambda _: None)


def test_a_copy_that_cannot_be_written_is_logged_and_no_more(
    started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    loaded, _ = started.start()
    LastGood(started.path / "away" / "copy.yaml").save(loaded)
    assert "cannot be written" in caplog.text


def test_the_copy_is_for_its_owner_and_written_only_when_it_differs(started: Started) -> None:
    started.start()
    assert started.copy.stat().st_mode & 0o007 == 0
    os.utime(started.copy, (0, 0))
    started.start()
    assert started.copy.stat().st_mtime == 0
    started.write("sampling.yaml", SAMPLING.replace("threshold_ms: 1000", "threshold_ms: 5"))
    started.start()
    assert started.copy.stat().st_mtime > 0

"""The last good copy of the rules: written when rules take effect, started with where the rules are broken at a start."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from milvus_otel_processor.config.loader import LoadedConfig, load_config
from milvus_otel_processor.config.nodes import Mapping, Node, plain, read_yaml
from milvus_otel_processor.config.problems import ConfigError
from milvus_otel_processor.config.substitution import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Mapping as EnvironMapping

_log = logging.getLogger(__name__)

_MODE = 0o640


class LastGood:
    """The file that `service.last_good_rules` names."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def save(self, loaded: LoadedConfig) -> None:
        """Write down the rules of a configuration that has taken effect; what cannot be written is logged."""
        rules = _rules(loaded)
        if rules is None:
            return
        text = json.dumps(plain(rules), indent=1, ensure_ascii=False) + "\n"
        part = self.file.with_name(f"{self.file.name}.part")
        try:
            if self.file.exists() and self.file.read_text(encoding="utf-8") == text:
                return
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as written:
                written.write(text)
                written.flush()
                os.fsync(descriptor)
            part.replace(self.file)
        except OSError as error:
            _log.warning("the last good copy of the rules cannot be written: %s: %s", self.file, error.strerror)

    def written(self) -> str:
        """Return when it was, in words."""
        return datetime.fromtimestamp(self.file.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def of(loaded: LoadedConfig) -> LastGood | None:
    """Return where the last good copy of the rules is kept, None where that is not wanted."""
    name = loaded.config.service.last_good_rules
    return LastGood(Path(name)) if name is not None else None


def load_with_last_good(
    path: Path | None,
    *,
    overrides: Sequence[str],
    environ: EnvironMapping[str, str],
    on_read: Callable[[Path], None],
) -> tuple[LoadedConfig, ConfigError | None]:
    """Return the configuration; where its rules are broken and there is a last good copy of them, with that, and the error.

    Raises ConfigError where that is no help: nothing names a copy, there is none, or something else is wrong as well.
    """
    try:
        return load_config(path, overrides=overrides, environ=environ, on_read=on_read), None
    except ConfigError as error:
        broken = error
    try:
        without = load_config(path, overrides=overrides, environ=environ, rules=_NO_RULES)
        copy = of(without)
        if copy is None or without.config.tail_sampling is None:
            raise broken
        rules = read_yaml(read_file(copy.file), str(copy.file))
        return load_config(path, overrides=overrides, environ=environ, rules=rules), broken
    except ConfigError:
        raise broken from None


_NO_RULES = read_yaml("{policies: [{name: all, type: always_sample}]}", "")


def _rules(loaded: LoadedConfig) -> Node | None:
    section = loaded.root.get("processors") if isinstance(loaded.root, Mapping) else None
    names = loaded.config.service.pipelines.traces.processors
    found = [name for name in names if loaded.config.processors[name] is loaded.config.tail_sampling]
    return section.get(found[0]) if found and isinstance(section, Mapping) else None

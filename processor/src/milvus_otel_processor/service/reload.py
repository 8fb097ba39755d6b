"""Follows the files of the configuration: rules that change take effect while the processor runs."""

from __future__ import annotations

import gc
import logging
from itertools import count
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.config import ConfigError
from milvus_otel_processor.config.files import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from threading import Event

    from milvus_otel_processor.config import Config, LoadedConfig, Problem
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 0.5  # a change is taken at the second look that sees it, so within a second
_LOOKS_FOR_CREDENTIALS = 20  # every ten seconds
_STAYS = "the rules stay as they are"


class WatchedFiles:
    """The files that a configuration is made of, and whether their content is still what it was.

    They are read again and again, not watched by inotify, which sees nothing of a change on the other side of some bind mounts;
    nor is the time of a change trusted, which a copy may keep. They are small.
    """

    def __init__(self, content: Callable[[Path], object] | None = None) -> None:
        self._content = content or fingerprint
        self._known: dict[Path, object] = {}
        self._before: dict[Path, object] = {}
        self._noted: set[Path] = set()

    def note(self, path: Path) -> None:
        """Watch a file, from its content as it is now: to be called right before it is read."""
        self._known[path] = self._content(path)
        self._noted.add(path)

    def changed(self) -> bool:
        """Tell whether a file has changed, and has not changed any more since the last call: who writes it is done."""
        now = {path: self._content(path) for path in self._known}
        settled, self._before = now == self._before, now
        return settled and now != self._known

    def begin(self) -> None:
        """Take the files as they are now for known, and begin to see which of them are noted."""
        self._known = {path: self._content(path) for path in self._known}
        self._noted.clear()

    def keep_noted(self) -> None:
        """Forget the files that were not noted since `begin`."""
        self._known = {path: content for path, content in self._known.items() if path in self._noted}


class Reloader:
    """Loads the configuration anew when a file of it changes, or when asked to, and hands its rules on.

    A configuration that is broken changes nothing. What differs outside of the rules, and of the exporter's headers, is logged as
    needing a restart. Certificates, keys and token files are read again at a reload, and every ten seconds: by `renew`, which
    returns the settings that name those which have changed.
    """

    def __init__(
        self,
        config: Config,
        files: WatchedFiles,
        load: Callable[[], LoadedConfig],
        replace_rules: Callable[[TailSamplingSettings], None],
        told: Callable[[Sequence[Problem]], None] = lambda _: None,
        *,
        replace_headers: Callable[[Mapping[str, str]], None] = lambda _: None,
        renew: Callable[[], list[str]] = list,
        on_loaded: Callable[[LoadedConfig], object] = lambda _: None,
    ) -> None:
        self._config = config
        self._files = files
        self._load = load
        self._replace_rules = replace_rules
        self._rules = config.tail_sampling
        self._told = told
        self._headers = config.exporter.headers
        self._replace_headers = replace_headers
        self._renew = renew
        self._on_loaded = on_loaded

    def run(self, asked: Event) -> None:
        """Follow the files until the program ends, and load anew whenever `asked` is set."""
        for look in count(1):
            was_asked = asked.wait(_SECONDS_BETWEEN_LOOKS)
            if was_asked:
                asked.clear()
            try:
                if was_asked or self._files.changed():
                    self.reload()
                    # The rules before, and what loading leaves behind, hold themselves in cycles; Python may be told not to look.
                    gc.collect()
                elif look % _LOOKS_FOR_CREDENTIALS == 0:
                    self._renew()
            except Exception:  # noqa: BLE001 - a fault in one try must not end all later ones
                _log.exception("reloading failed, %s", _STAYS)

    def reload(self) -> None:
        """Load the configuration anew and put its rules into effect; say what came of it."""
        renewed = self._renew()
        if renewed:
            _log.info("certificates or tokens have changed, new connections use them", extra={"keys": renewed})
        self._files.begin()
        try:
            loaded = self._load()
        except ConfigError as error:
            self._told(error.problems)
            for problem in error.problems:
                _log.error("not reloaded, %s: %s", _STAYS, problem)
            return
        self._told(())
        self._files.keep_noted()
        for warning in loaded.warnings:
            _log.warning("%s", warning)
        self._apply(loaded.config, renewed=bool(renewed))
        self._on_loaded(loaded)

    def _apply(self, config: Config, *, renewed: bool = False) -> None:
        elsewhere = sorted(changes(_without_rules(self._config), _without_rules(config)))
        rules = config.tail_sampling
        if config.exporter.headers != self._headers:
            self._headers = config.exporter.headers
            self._replace_headers(self._headers)
            _log.info("the exporter's headers have changed", extra={"keys": sorted(self._headers)})
            renewed = True
        if rules is not None and self._rules is not None and rules != self._rules:
            self._replace_rules(rules)
            self._rules = rules
            _log.info("rules reloaded", extra={"rules": [policy.name for policy in rules.policies]})
        elif not elsewhere and not renewed:
            _log.info("reloaded, nothing has changed")
        if elsewhere:
            _log.warning("changed, but needs a restart to take effect", extra={"keys": elsewhere})


def _without_rules(config: Config) -> dict[str, Any]:
    """Return all settings but those that a reload can change; whether there are rules at all is not one of these."""
    settings = config.model_dump(by_alias=True)
    del settings["exporters"][config.service.pipelines.traces.exporters[0]]["headers"]
    if config.tail_sampling is not None:
        name = next(name for name, settings in config.processors.items() if settings is config.tail_sampling)
        settings["processors"][name] = {}
    return settings


def changes(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted path of each value that differs; of one that is only on one side, the path of the whole."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        if before != after:
            yield path
        return
    for key in before.keys() | after.keys():
        below = f"{path}.{key}" if path else str(key)
        if key in before and key in after:
            yield from changes(before[key], after[key], below)
        else:
            yield below

"""A user's own source, named in YAML as `my_package.module:Class`."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping, Sequence

    from milvus_otel_processor.enrichment.facts import Facts
    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.enrichment.sources.base import Source
    from milvus_otel_processor.spans.contract import Trace

_log = logging.getLogger(__name__)


class SourceError(Exception):
    """A user's own source cannot be had; the message says which, why, and what is expected."""


class CustomSource:
    """Calls a user's source so that its faults harm nobody: an exception is counted, the first is logged with its traceback."""

    def __init__(self, source: Source, path: str, failures: Counter[str]) -> None:
        self.name = source.name
        self._source = source
        self._path = path
        self._failures = failures

    def facts(self, trace: Trace, requests: Sequence[Request]) -> Mapping[int, Facts]:
        """Return what the user's source returns, or nothing where it raises."""
        try:
            return self._source.facts(trace, requests)
        except Exception:  # noqa: BLE001 - whatever it is, the span goes on
            self._failures[self.name] += 1
            if self._failures[self.name] == 1:
                _log.exception("the source %s failed; later failures are only counted", self._path)
            return {}


def load(path: str, failures: Counter[str]) -> CustomSource:
    """Import the class and make one, without arguments. Raises SourceError where that is impossible."""
    module_name, _, class_name = path.partition(":")
    try:
        source = getattr(import_module(module_name), class_name)()
    except Exception as error:
        raise SourceError(
            f"processors.milvus.sources: {path}: cannot be made: {type(error).__name__}: {error}; expected module:Class, "
            "importable by the processor and made without arguments"
        ) from error
    if not isinstance(getattr(source, "name", None), str) or not callable(getattr(source, "facts", None)):
        raise SourceError(
            f"processors.milvus.sources: {path}: is no source; expected an attribute `name`, a string, and a method "
            "`facts(trace, requests)`: see docs/enrichment.md"
        )
    return CustomSource(source, path, failures)

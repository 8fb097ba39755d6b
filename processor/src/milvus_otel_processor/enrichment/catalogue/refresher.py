"""Keeps the catalogue up to date, in a thread of its own."""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol

from milvus_otel_processor.enrichment.catalogue.collection import LOADING
from milvus_otel_processor.enrichment.catalogue.milvus import Refusal

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from random import Random

    from milvus_otel_processor.enrichment.catalogue.catalogue import Catalogue
    from milvus_otel_processor.enrichment.catalogue.collection import Collection
    from milvus_otel_processor.enrichment.settings import CatalogueSettings

_log = logging.getLogger(__name__)

_FIRST_RETRY = 1.0
_STARTING_SECONDS = 60.0  # for a Milvus that is started together with the processor
_WHILE_STARTING = frozenset({"unavailable", "deadline_exceeded", "refused"})
_REST_SHARE = 4.0  # pauses are so many times as long as the calls between them, so that spans go first

REFRESHED, FAULT = "ok", "fault"
"""In metrics, a listing that Milvus answered, and a fault of our own; others go by the reason that Milvus or gRPC gave."""


class Source(Protocol):
    """What the catalogue is read from; every method may raise Refusal."""

    def namespaces(self) -> list[str]:
        """Return the databases."""

    def collections(self, namespace: str) -> dict[int, str]:
        """Return the ids and names of a database's collections."""

    def describe(self, namespace: str, name: str) -> Collection | None:
        """Return the collection with this name or alias, or None."""

    def close(self) -> None:
        """Free what it holds."""


class Refresher:
    """Lists what there is, reads what is new, and reads again what requests use or have changed.

    A collection that its database does not list any more is forgotten. While Milvus does not answer, everything stays, is marked
    as stale after `stale_after` seconds by `clock`, and Milvus is asked again after pauses that grow. A failure is logged once,
    and once again when it is over or another one. That Milvus does not answer in the first minute is no failure: it starts.
    """

    def __init__(
        self,
        settings: CatalogueSettings,
        catalogue: Catalogue,
        connect: Callable[[], Source],
        *,
        clock: Callable[[], float],
        random: Random,
        counts: Counter[str],
        on_read: Callable[[], object] = lambda: None,
        on_listed: Callable[[], object] = lambda: None,
    ) -> None:
        """Make it; `on_listed` is called in its thread after a listing, `on_read` when all that it named has been read."""
        self._settings = settings
        self._catalogue = catalogue
        self._connect = connect
        self._clock = clock
        self._random = random
        self._counts = counts
        self._on_read = on_read
        self._on_listed = on_listed
        self._is_read = True
        self._source: Source | None = None
        self._listed: dict[int, tuple[str, str]] = {}
        self._read_at: dict[int, float] = {}
        self._started_at = self._confirmed_at = clock()
        self._has_answered = False
        self._next_listing = self._confirmed_at
        self._failing: str | None = None
        self._retry = _FIRST_RETRY
        self._stopping = Event()
        self._reconnects = Event()
        self._thread = Thread(target=self._run, name="catalogue", daemon=True)

    def start(self) -> None:
        """Read the catalogue from now on."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop, waiting up to `timeout` seconds for a call that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def reconnect(self) -> None:
        """Make a new connection before the next call; may be called from any thread."""
        self._reconnects.set()

    def step(self) -> float:
        """Do what is due, and return for how many seconds to do nothing."""
        try:
            if self._reconnects.is_set() and self._source is not None:
                self._source.close()
                self._source = None
            self._reconnects.clear()
            if self._source is None:
                self._source = self._connect()
            if self._clock() >= self._next_listing:
                self._list(self._source)
            self._read_what_is_asked_for(self._source)
            self._read_what_is_new(self._source)
            self._tell()
        except Refusal as refusal:
            pause = self._failed(refusal)
        else:
            self._succeeded()
            pause = self._settings.miss_interval
        if self._clock() - self._confirmed_at > self._settings.stale_after:
            self._catalogue.mark(stale=True)
        return pause

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                pause = self.step()
            except Exception:  # noqa: BLE001 - see below
                # A fault in reading one answer must not end all later ones.
                self._counts[FAULT] += 1
                if self._failing != FAULT:
                    self._failing = FAULT
                    _log.exception("reading the catalogue failed, trying again")
                pause = self._settings.max_interval
            self._stopping.wait(pause)
        if self._source is not None:
            self._source.close()

    def _list(self, source: Source) -> None:
        self._listed = {
            collection_id: (namespace, name)
            for namespace in self._namespaces(source)
            for collection_id, name in source.collections(namespace).items()
        }
        for collection in self._catalogue.all():
            if collection.id not in self._listed:
                self._catalogue.remove(collection)
                self._read_at.pop(collection.id, None)
            elif collection.name != self._listed[collection.id][1]:
                self._read_at.pop(collection.id, None)
        self._catalogue.mark(stale=False)
        self._catalogue.forget_misses()
        self._confirmed_at = self._clock()
        self._next_listing = self._confirmed_at + self._spread(self._settings.interval)
        self._counts[REFRESHED] += 1
        self._on_listed()
        self._is_read = False

    def _read_what_is_asked_for(self, source: Source) -> None:
        if self._catalogue.take_changes():
            self._next_listing = self._clock()  # in the next step
        for namespace, name in self._catalogue.take_misses():
            candidates = self._namespaces(source)
            for candidate in candidates if namespace is None else {namespace}.intersection(candidates):
                self._learn(source.describe(candidate, name))
        old = self._clock() - self._settings.interval
        for used in self._catalogue.take_uses():
            if used in self._listed and self._read_at.get(used, 0.0) <= old:
                self._learn(source.describe(*self._listed[used]))
        for loading in [one for one in self._catalogue.all() if one.load_state == LOADING]:
            # It takes seconds, and nothing tells when it is done.
            self._learn(source.describe(loading.namespace, loading.name))

    def _read_what_is_new(self, source: Source) -> None:
        for new in [one for one in self._listed if one not in self._read_at]:
            if self._stopping.is_set() or self._clock() >= self._next_listing:
                return
            began = self._clock()
            self._learn(source.describe(*self._listed[new]))
            self._read_at.setdefault(new, began)  # gone meanwhile: the next listing says so too
            self._stopping.wait((self._clock() - began) * _REST_SHARE)
            self._read_what_is_asked_for(source)

    def _tell(self) -> None:
        if not self._is_read and self._listed.keys() <= self._read_at.keys():
            self._is_read = True
            self._on_read()

    def _namespaces(self, source: Source) -> list[str]:
        return self._settings.databases or source.namespaces()

    def _learn(self, collection: Collection | None) -> None:
        if collection is not None:
            self._catalogue.put(collection)
            self._listed[collection.id] = (collection.namespace, collection.name)
            self._read_at[collection.id] = self._clock()

    def _succeeded(self) -> None:
        self._has_answered = True
        self._retry = _FIRST_RETRY
        if self._failing is not None:
            _log.info("the catalogue is read again")
            self._failing = None

    def _failed(self, refusal: Refusal) -> float:
        self._counts[refusal.reason] += 1
        if self._may_be_starting(refusal):
            if self._retry == _FIRST_RETRY:
                _log.info("Milvus does not answer yet, its catalogue is read as soon as it does")
        elif self._failing != refusal.reason:
            _log.warning("the catalogue cannot be read, requests go on without new facts: %s", refusal)
            self._failing = refusal.reason
        pause = self._spread(self._retry)
        self._retry = min(self._retry * 2, self._settings.max_interval)
        return pause

    def _may_be_starting(self, refusal: Refusal) -> bool:
        young = self._clock() - self._started_at < _STARTING_SECONDS
        return young and not self._has_answered and refusal.reason in _WHILE_STARTING

    def _spread(self, seconds: float) -> float:
        factor = self._settings.randomization_factor
        return seconds * self._random.uniform(1 - factor, 1 + factor)

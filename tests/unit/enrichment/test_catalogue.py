"""The catalogue answers at once from what it knows, and is kept up to date beside the spans."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.enrichment.catalogue.catalogue import Catalogue
from milvus_otel_processor.enrichment.catalogue.collection import Collection
from milvus_otel_processor.enrichment.catalogue.milvus import Refusal
from milvus_otel_processor.enrichment.catalogue.refresher import Refresher
from milvus_otel_processor.enrichment.settings import CatalogueSettings

from tests.support.enrichment import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable

PRODUCTS = Collection(1, "default", "products", aliases=("live",))
IN_SHOP = Collection(2, "shop", "products")


class Milvus:
    """A catalogue's source that holds collections and can be told to fail; `asked` is what was described."""

    def __init__(self, *collections: Collection) -> None:
        self.held = {collection.id: collection for collection in collections}
        self.refusal: Refusal | None = None
        self.asked: list[tuple[str, str]] = []
        self.listings = 0

    def __call__(self) -> Milvus:
        return self

    def namespaces(self) -> list[str]:
        self._answer()
        return sorted({"default", *(one.namespace for one in self.held.values())})

    def collections(self, namespace: str) -> dict[int, str]:
        self._answer()
        self.listings += 1
        return {one.id: one.name for one in self.held.values() if one.namespace == namespace}

    def describe(self, namespace: str, name: str) -> Collection | None:
        self._answer()
        self.asked.append((namespace, name))
        return next(
            (one for one in self.held.values() if one.namespace == namespace and name in (one.name, *one.aliases)), None
        )

    def close(self) -> None:
        pass

    def _answer(self) -> None:
        if self.refusal is not None:
            raise self.refusal


class World:
    """A refresher with its catalogue, source and clock; settings as in YAML."""

    def __init__(self, collections: Iterable[Collection] = (), **settings: Any) -> None:
        self.milvus = Milvus(*collections)
        self.catalogue = Catalogue()
        self.clock = Clock()
        self.counts: Counter[str] = Counter()
        self.told: list[int] = []
        self.refresher = Refresher(
            CatalogueSettings.model_validate({"randomization_factor": 0.0, **settings}),
            self.catalogue,
            self.milvus,
            clock=self.clock,
            random=Random(1),
            counts=self.counts,
            on_read=lambda: self.told.append(len(self.catalogue)),
        )

    def step(self, seconds: float = 0.0) -> float:
        self.clock.now += seconds
        return self.refresher.step()


def test_what_milvus_has_is_known_by_name_alias_and_id() -> None:
    world = World([PRODUCTS, IN_SHOP])
    world.step()
    assert world.catalogue.find("default", "products") is PRODUCTS
    assert world.catalogue.find("default", "live") is PRODUCTS
    assert world.catalogue.find("shop", "products") is IN_SHOP
    assert world.catalogue.by_id(2) is IN_SHOP
    assert world.catalogue.find("shop", "live") is None
    assert world.catalogue.by_id(3) is None


def test_without_a_database_only_a_name_that_one_database_alone_has_is_known() -> None:
    world = World([PRODUCTS, IN_SHOP])
    world.step()
    assert world.catalogue.find(None, "products") is None
    assert world.catalogue.find(None, "live") is PRODUCTS


def test_a_name_that_is_missed_is_asked_for_in_the_next_step_and_once() -> None:
    world = World()
    world.step()
    world.milvus.held[1] = PRODUCTS
    for _ in range(3):
        assert world.catalogue.find("default", "live") is None
        assert world.catalogue.find("default", "nothing") is None
    assert world.step(1.0) == 1.0
    assert world.milvus.asked == [("default", "live"), ("default", "nothing")]
    assert world.catalogue.find("default", "live") is PRODUCTS
    assert world.catalogue.find("default", "nothing") is None
    world.step(1.0)
    assert len(world.milvus.asked) == 2
    world.step(60.0)
    world.catalogue.find("default", "nothing")
    world.step(1.0)
    assert world.milvus.asked.count(("default", "nothing")) == 2


def test_names_that_nobody_has_cannot_make_it_grow() -> None:
    catalogue = Catalogue()
    for number in range(5000):
        catalogue.find("default", f"nothing{number}")
    assert len(catalogue.take_misses()) == 1000


def test_a_dropped_collection_is_forgotten_and_its_successor_takes_its_name() -> None:
    world = World([PRODUCTS])
    world.step()
    del world.milvus.held[1]
    again = Collection(7, "default", "products")
    world.milvus.held[7] = again
    world.step(60.0)
    assert world.catalogue.find("default", "products") is again
    assert world.catalogue.by_id(1) is None
    assert world.catalogue.find("default", "live") is None
    del world.milvus.held[7]
    world.step(60.0)
    assert len(world.catalogue) == 0
    assert world.catalogue.find(None, "products") is None


def test_a_renamed_collection_loses_its_old_name() -> None:
    world = World([PRODUCTS])
    world.step()
    world.milvus.held[1] = Collection(1, "default", "goods", aliases=("live",))
    world.step(60.0)
    assert world.catalogue.find("default", "products") is None
    assert world.catalogue.find("default", "goods") is world.catalogue.find("default", "live") is not None


def test_a_moved_alias_is_read_again_as_soon_as_the_change_is_told() -> None:
    world = World([PRODUCTS, Collection(3, "default", "articles")])
    world.step()
    world.milvus.held = {1: Collection(1, "default", "products"), 3: Collection(3, "default", "articles", ("live",))}
    world.catalogue.change("default", "articles")
    world.step(1.0)
    found = world.catalogue.find("default", "live")
    assert found is not None
    assert found.id == 3


def test_a_told_change_makes_the_next_listing_come_at_once() -> None:
    world = World([PRODUCTS])
    world.step()
    world.milvus.held.clear()
    world.catalogue.change("default", "products")
    world.step(1.0)
    world.step(1.0)
    assert len(world.catalogue) == 0


def test_collections_that_requests_use_are_read_again_after_an_interval_and_others_are_not() -> None:
    world = World([PRODUCTS, IN_SHOP], interval="60s")
    world.step()
    world.milvus.asked.clear()
    for _ in range(59):
        world.catalogue.find("default", "products")
        world.step(1.0)
    assert world.milvus.asked == []
    world.catalogue.find("default", "products")
    world.step(1.0)
    assert world.milvus.asked == [("default", "products")]


def test_while_milvus_is_down_everything_stays_and_becomes_stale_after_a_time() -> None:
    world = World([PRODUCTS], stale_after="600s")
    world.step()
    world.milvus.refusal = Refusal("unavailable", "down")
    world.step(600.0)
    known = world.catalogue.find("default", "products")
    assert known is PRODUCTS
    world.step(1.0)
    known = world.catalogue.find("default", "products")
    assert known is not None
    assert known.stale
    world.milvus.refusal = None
    world.step(1.0)
    known = world.catalogue.find("default", "live")
    assert known is not None
    assert not known.stale


def test_milvus_is_asked_again_after_pauses_that_grow_and_the_log_says_it_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World([PRODUCTS], max_interval="5s")
    world.milvus.refusal = Refusal("unauthenticated", "ListDatabases: UNAUTHENTICATED: auth check failure")
    with caplog.at_level(logging.INFO):
        pauses = [world.step(1.0) for _ in range(5)]
        assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]
        assert [record.getMessage() for record in caplog.records] == [
            f"the catalogue cannot be read, requests go on without new facts: {world.milvus.refusal}"
        ]
        world.milvus.refusal = Refusal("permission_denied", "no")
        world.step(1.0)
        world.milvus.refusal = None
        world.step(1.0)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
    assert world.counts == {"unauthenticated": 5, "permission_denied": 1, "ok": 1}


@pytest.mark.parametrize("reason", ["unavailable", "deadline_exceeded", "refused"])
def test_a_milvus_that_does_not_answer_is_no_warning_before_a_minute_is_over(
    caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    world = World([PRODUCTS])
    world.milvus.refusal = Refusal(reason, "not yet")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            world.step(19.9)
        assert [record.levelname for record in caplog.records] == ["INFO"]
        world.step(0.3)
        world.step(1.0)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


def test_a_milvus_that_has_answered_and_is_gone_is_a_warning_at_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World([PRODUCTS], interval="1s")
    world.step()
    world.milvus.refusal = Refusal("unavailable", "gone")
    world.step(2.0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_milvus_that_was_waited_for_is_read_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    world = World([PRODUCTS])
    world.milvus.refusal = Refusal("unavailable", "not yet")
    world.step()
    world.milvus.refusal = None
    with caplog.at_level(logging.INFO):
        world.step(1.0)
    assert world.catalogue.all() == [PRODUCTS]
    assert caplog.records == []


def test_intervals_are_spread() -> None:
    world = World(randomization_factor=0.5, interval="10s")
    world.step()
    due = world.refresher._next_listing - world.clock.now
    assert 5.0 <= due <= 15.0
    assert due != 10.0


def test_only_the_databases_of_the_settings_are_asked() -> None:
    world = World([PRODUCTS, IN_SHOP], databases=["shop"])
    world.step()
    assert world.catalogue.all() == [IN_SHOP]
    world.catalogue.find("default", "products")
    world.step(1.0)
    assert ("default", "products") not in world.milvus.asked


def test_the_thread_reads_by_itself_and_stops() -> None:
    world = World([PRODUCTS])
    world.refresher.start()
    try:
        from tests.peers.waiting import wait_until

        wait_until(lambda: world.catalogue.find("default", "products"), "the catalogue to be read")
    finally:
        world.refresher.stop(5)
    assert not world.refresher._thread.is_alive()


def test_who_waits_for_the_catalogue_is_told_when_all_of_a_listing_has_been_read() -> None:
    world = World([PRODUCTS, IN_SHOP], interval="60s")
    world.milvus.refusal = Refusal("unavailable", "down")
    world.step()
    assert world.told == []
    world.milvus.refusal = None
    world.step(5)
    assert world.told == [2]
    world.step(1)
    assert world.told == [2]
    world.step(60)
    assert world.told == [2, 2]


def test_a_collection_that_loads_is_read_in_each_step_until_it_is_loaded() -> None:
    loading = Collection(1, "default", "products", load_state="Loading")
    world = World([loading])
    world.step(0)
    world.milvus.held[1] = replace(loading, load_state="Loaded")
    world.step(1)
    found = world.catalogue.find("default", "products")
    assert found is not None
    assert found.load_state == "Loaded"
    world.milvus.asked.clear()
    world.step(1)
    assert world.milvus.asked == []


def test_what_a_change_makes_doubtful_is_left_out_until_it_is_read_again() -> None:
    world = World([replace(PRODUCTS, row_count=12, load_state="Loaded", replica_count=1)])
    world.step(0)
    world.catalogue.change(None, "live")
    found = world.catalogue.find("default", "products")
    assert found is not None
    assert (found.row_count, found.load_state, found.replica_count) == (None, None, None)
    world.step(1)
    found = world.catalogue.find("default", "products")
    assert found is not None
    assert (found.row_count, found.load_state, found.replica_count) == (12, "Loaded", 1)


def test_after_a_write_the_rows_are_not_known_until_they_are_counted_again() -> None:
    world = World([replace(PRODUCTS, row_count=12, load_state="Loaded")])
    world.step(0)
    world.catalogue.wrote("default", "products")
    world.catalogue.wrote("default", "nobody")
    found = world.catalogue.find("default", "products")
    assert found is not None
    assert (found.row_count, found.load_state) == (None, "Loaded")

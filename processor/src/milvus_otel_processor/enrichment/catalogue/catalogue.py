"""The collections that Milvus has told of: looked up in the path of spans, changed in the background."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.enrichment.catalogue.collection import Collection

_MISSES_REMEMBERED = 1000
_USES_REMEMBERED = 10_000
_DEFAULT = "default"  # the database of requests that name none


class Catalogue:
    """Collections by database and name or alias, and by id. Nothing here waits: what is not known is asked for later.

    Look-ups come from one thread and changes from another; each is a single step on a dictionary, so that neither needs a lock.
    """

    def __init__(self) -> None:
        self._by_id: dict[int, Collection] = {}
        self._by_name: dict[tuple[str, str], Collection] = {}
        self._namespaces: dict[str, tuple[str, ...]] = {}
        self._asked: dict[tuple[str | None, str], None] = {}
        self._misses: deque[tuple[str | None, str]] = deque()
        self._uses: deque[int] = deque(maxlen=_USES_REMEMBERED)
        self._changes: deque[tuple[str | None, str | None]] = deque(maxlen=_MISSES_REMEMBERED)
        self.on_change: Callable[[], object] = lambda: None
        """Called when the same look-up may give another answer than before, or has to be made again; by whoever changes that."""

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, namespace: str | None, name: str) -> Collection | None:
        """Return the collection with this name or alias; without a database only if one database alone has that name."""
        if namespace is None:
            namespaces = self._namespaces.get(name, ())
            found = self._by_name.get((namespaces[0], name)) if len(namespaces) == 1 else None
        else:
            found = self._by_name.get((namespace, name))
        if found is not None:
            self._uses.append(found.id)
        elif (namespace, name) not in self._asked and len(self._asked) < _MISSES_REMEMBERED:
            # Once for each name: a client that asks for what is not there must not make us ask again and again.
            self._asked[namespace, name] = None
            self._misses.append((namespace, name))
        return found

    def by_id(self, collection_id: int) -> Collection | None:
        """Return the collection with this id."""
        found = self._by_id.get(collection_id)
        if found is not None:
            self._uses.append(collection_id)
        return found

    def all(self) -> list[Collection]:
        """Return all collections."""
        return list(self._by_id.values())

    def put(self, collection: Collection) -> None:
        """Know a collection, new or changed; names that another one had before become its own."""
        before = self._by_id.get(collection.id)
        self._by_id[collection.id] = collection
        names = (*collection.aliases, collection.name)
        for name in names:
            self._by_name[collection.namespace, name] = collection
            namespaces = self._namespaces.get(name, ())
            if collection.namespace not in namespaces:
                self._namespaces[name] = (*namespaces, collection.namespace)
        if before is not None:
            self._release(before, keep=names)
        if before is None or _found_by(before) != _found_by(collection):
            self.on_change()

    def remove(self, collection: Collection) -> None:
        """Forget a collection."""
        self._by_id.pop(collection.id, None)
        self._release(collection, keep=())
        self.on_change()

    def take_misses(self) -> list[tuple[str | None, str]]:
        """Return, once, the databases and names that were looked up and not known."""
        return list(dict.fromkeys(self._misses.popleft() for _ in range(len(self._misses))))

    def take_uses(self) -> set[int]:
        """Return, once, the ids of the collections that were looked up and known."""
        return {self._uses.popleft() for _ in range(len(self._uses))}

    def forget_misses(self) -> None:
        """Let names that were not known be asked for again."""
        if self._asked:
            self._asked.clear()
            self.on_change()

    def mark(self, *, stale: bool) -> None:
        """Say of all collections whether Milvus has not confirmed them for too long."""
        for collection in self.all():
            if collection.stale is not stale:
                self.put(replace(collection, stale=stale))

    def wrote(self, namespace: str | None, name: str | None) -> None:
        """Tell that a request has written to a collection: its number of rows is not known until it is read again."""
        found = self._by_name.get((namespace or _DEFAULT, name)) if name is not None else None
        if found is not None and found.row_count is not None:
            self.put(replace(found, row_count=None))

    def doubt(self, collection: Collection) -> None:
        """Tell that a request shows a collection's load state to be another: it is not known until it is read again."""
        held = self._by_id.get(collection.id)
        if held is not None and held.load_state is not None:
            self.put(replace(held, load_state=None))
            self._misses.append((held.namespace, held.name))

    def change(self, namespace: str | None, name: str | None) -> None:
        """Tell that a request has made, changed or dropped a collection or an alias; `name` is the collection, if it is known."""
        self._changes.append((namespace, name))
        found = self._by_name.get((namespace or _DEFAULT, name)) if name is not None else None
        # What stays the same object has its bytes remembered.
        if found is not None and (found.row_count, found.load_state, found.replica_count) != (None, None, None):
            self.put(replace(found, row_count=None, load_state=None, replica_count=None))

    def take_changes(self) -> bool:
        """Return whether something has changed, and let what it may concern be read again."""
        if not self._changes:
            return False
        for _ in range(len(self._changes)):
            namespace, name = self._changes.popleft()
            if name is not None:
                self._misses.append((namespace, name))
            # The old holder of an alias is not named by the request that moves it.
            self._misses += [
                (one.namespace, one.name) for one in self.all() if one.aliases and namespace in (None, one.namespace)
            ]
        return True

    def _release(self, before: Collection, keep: tuple[str, ...]) -> None:
        for name in (*before.aliases, before.name):
            holder = self._by_name.get((before.namespace, name))
            if name in keep or holder is None or holder.id != before.id:
                continue
            del self._by_name[before.namespace, name]
            left = tuple(namespace for namespace in self._namespaces.get(name, ()) if namespace != before.namespace)
            if left:
                self._namespaces[name] = left
            else:
                self._namespaces.pop(name, None)


def _found_by(collection: Collection) -> tuple[object, ...]:
    """Return what look-ups depend on, and what requests may contradict."""
    return collection.namespace, collection.name, collection.aliases, collection.load_state

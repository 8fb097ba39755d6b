"""The collections that rules name, against those that Milvus has: a name that is not there is mostly misspelt."""

from __future__ import annotations

import logging
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.sampling.policies.base import located
from milvus_otel_processor.sampling.policies.collection import wildcards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from milvus_otel_processor.enrichment.catalogue.collection import Collection
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

_log = logging.getLogger(__name__)

_PATTERNS_REMEMBERED = 1024


class _Named(NamedTuple):
    policy: str
    """The policy directly under `policies`, which metrics know."""
    name: str
    database: str | None


class RuleCollections:
    """Says once of each collection that a rule names that Milvus does not have it, and counts them by policy in `missing`."""

    def __init__(self, sampling: TailSamplingSettings | None, missing: dict[str, int]) -> None:
        self._missing = missing
        self._known: Sequence[Collection] | None = None
        self._told: set[_Named] = set()
        self._named = list(_named(sampling))

    def replace(self, sampling: TailSamplingSettings) -> None:
        """Look at other rules from now on."""
        self._named = list(_named(sampling))
        if self._known is not None:
            self.check(self._known)

    def check(self, collections: Sequence[Collection]) -> None:
        """Compare what rules name with all collections that Milvus has, as far as its user sees them."""
        self._known = collections
        missing = [one for one in self._named if not any(_is_it(one, collection) for collection in collections)]
        for one in missing:
            if one not in self._told:
                _log.warning(_message(one, collections))
        for one in self._told.intersection(self._named).difference(missing):
            _log.info("collection %r, which policy %s asks for, is there now", one.name, one.policy)
        self._told = set(missing)
        counts = dict.fromkeys((one.policy for one in self._named), 0)
        for one in missing:
            counts[one.policy] += 1
        self._missing.clear()
        self._missing.update(counts)


def _named(sampling: TailSamplingSettings | None) -> Iterator[_Named]:
    for policy in sampling.policies if sampling is not None else ():
        for _, inside in located([policy], "policies"):
            for asked in inside.asked_collections():
                yield _Named(policy.name, asked.name, asked.database)


def _is_it(one: _Named, collection: Collection) -> bool:
    if not any(map(_matches(one.name), (collection.name, *collection.aliases))):
        return False
    return one.database is None or _matches(one.database)(collection.namespace)


@lru_cache(maxsize=_PATTERNS_REMEMBERED)
def _matches(pattern: str) -> Callable[[str], bool]:
    is_it = wildcards([pattern])
    return lambda name: is_it(name.encode())


def _message(one: _Named, collections: Sequence[Collection]) -> str:
    where = f" in the database {one.database!r}" if one.database is not None else ""
    what = f"policy {one.policy} asks for the collection {one.name!r}{where}, and Milvus has none that its user can see"
    elsewhere = [other.namespace for other in collections if _is_it(one._replace(database=None), other)]
    if elsewhere:
        return f"{what}; there is one in the database {min(elsewhere)!r}"
    names = sorted({name for other in collections for name in (other.name, *other.aliases)})
    near = get_close_matches(one.name, names, n=1)
    return f"{what}; did you mean {near[0]!r}?" if near else what

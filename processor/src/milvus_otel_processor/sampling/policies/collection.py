"""`collection`: traces with a request on one of the given Milvus collections. A policy of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision, answers
from milvus_otel_processor.sampling.explanation import listed
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, AskedCollection, Clock, Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.matching import matcher
from milvus_otel_processor.sampling.policies.milvus_spans import ALIAS, COLLECTION, NAMESPACE, milvus_spans
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from milvus_otel_processor.spans.contract import Trace

_WILDCARDS = {"*": ".*", "?": "."}
_LIKE_AN_EXPRESSION = re.compile(r"^\^|\$$|\.\*|\.\+|[\[\]|\\]")
_CACHE_SIZE = 4096  # of answers: collections are few


class CollectionSettings(Settings):
    """Settings of `collection`."""

    names: list[str] = Field(
        min_length=1,
        description="Names or aliases of collections. `*` stands for any text, `?` for any one character.",
    )
    database: str | None = Field(
        default=None,
        description="The database of the collections, with `*` and `?` as in `names`. Without it, any database.",
    )
    invert_match: bool = Field(
        default=False, description="Sample traces in which no request matches, also those without a Milvus request."
    )


class Collection(Evaluator):
    """Samples traces with a Milvus request on one of the collections.

    Looks at `db.collection.name`, `milvus.collection.alias` and `db.namespace` of spans with `db.system.name: milvus`, as the
    `milvus` processor writes them. A request whose database is not known is in none.
    """

    def __init__(self, settings: CollectionSettings) -> None:
        self._named = wildcards(settings.names)
        self._in_database = wildcards([settings.database]) if settings.database is not None else None
        self._found, self._not_found = answers(invert_match=settings.invert_match)

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a request is on one of the collections, or with `invert_match` where none is."""
        for attributes in milvus_spans(trace, COLLECTION):
            is_named = self._named(attributes[COLLECTION]) or (ALIAS in attributes and self._named(attributes[ALIAS]))
            if is_named and self._is_in_database(attributes.get(NAMESPACE)):
                return self._found
        return self._not_found

    def _is_in_database(self, name: bytes | None) -> bool:
        return self._in_database is None or (name is not None and self._in_database(name))

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason."""
        names = []
        for attributes in milvus_spans(trace, COLLECTION):
            name = attributes[COLLECTION].decode("utf-8", "replace")
            database = attributes.get(NAMESPACE)
            where = f"`{name}`" + (
                f" in `{database.decode('utf-8', 'replace')}`" if database else " in an unknown database"
            )
            names.append(where)
            is_named = self._named(attributes[COLLECTION]) or (ALIAS in attributes and self._named(attributes[ALIAS]))
            if is_named and self._is_in_database(database):
                return f"a request is on the collection {where}"
        return f"requests are on {listed(names)}" if names else "no span names a collection of a Milvus request"


def wildcards(patterns: Sequence[str]) -> Callable[[bytes], bool]:
    """Return what tells whether a text is one of these, in which `*` stands for any text and `?` for any one character."""
    if not any("*" in pattern or "?" in pattern for pattern in patterns):
        return matcher(patterns, regex=False, cache_max_size=0)
    return matcher([_expression(pattern) for pattern in patterns], regex=True, cache_max_size=_CACHE_SIZE)


def _expression(pattern: str) -> str:
    parts = [_WILDCARDS.get(part) or re.escape(part) for part in re.split(r"([*?])", pattern)]
    return rf"(?s)\A{''.join(parts)}\z"


class CollectionPolicy(PolicySettings):
    """Traces by the Milvus collection that a request in them is on."""

    type: Literal["collection"]
    collection: CollectionSettings

    def remarks(self) -> Iterator[str]:
        """Yield names that match nothing, or that are regular expressions, which these are not."""
        collection = self.collection
        named = [(f"collection.names[{index}]", name) for index, name in enumerate(collection.names)]
        named += [("collection.database", collection.database)] if collection.database is not None else []
        for where, name in named:
            if not name:
                yield f"{where}: is empty, and matches nothing"
            elif _LIKE_AN_EXPRESSION.search(name):
                yield f"{where}: {name!r} is not a regular expression; * stands for any text and ? for any one character"
        yield from remarks.of_doubles([name for name in collection.names if name], "collection.names")

    def constant(self) -> bool | None:
        """Return what follows where no name can match."""
        can_match = any(self.collection.names) and self.collection.database != ""
        return None if can_match else self.collection.invert_match

    def asked_collections(self) -> Iterator[AskedCollection]:
        """Yield each name."""
        for name in filter(None, self.collection.names):
            yield AskedCollection(name, self.collection.database)

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return Collection(self.collection)

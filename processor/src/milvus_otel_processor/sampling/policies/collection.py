"""`collection`: traces with a request on one of the given Milvus collections. A policy of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision, answers
from milvus_otel_processor.sampling.explanation import listed
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, AskedCollection, Clock, Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.matching import matcher
from milvus_otel_processor.sampling.policies.milvus_spans import ALIAS, COLLECTION, NAMESPACE, milvus_spans
from milvus_otel_processor.settings import Settings
from milvus_otel_processor.spans.wanted import Wanted

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


class Named:
    """Tells whether a request is on one of the collections, in one of the databases; with no collection named, on any."""

    def __init__(self, names: Sequence[str], database: str | None) -> None:
        self._named = wildcards(names) if names else None
        self._in_database = wildcards([database]) if database is not None else None
        self.is_everything = self._named is None and self._in_database is None
        """Whether every request is meant."""

    def matches(self, attributes: dict[bytes, bytes]) -> bool:
        """Tell whether the span of a request with these attributes is meant; one whose database is not known is in none."""
        if self._named is not None:
            names = [attributes[key] for key in (COLLECTION, ALIAS) if key in attributes]
            if not any(map(self._named, names)):
                return False
        if self._in_database is None:
            return True
        database = attributes.get(NAMESPACE)
        return database is not None and self._in_database(database)


class Collection(Evaluator):
    """Samples traces with a Milvus request on one of the collections.

    Looks at `db.collection.name`, `milvus.collection.alias` and `db.namespace` of spans with `db.system.name: milvus`, as the
    `milvus` processor writes them. A request whose database is not known is in none.
    """

    reads = Reads.FACTS

    def __init__(self, settings: CollectionSettings) -> None:
        self._named = Named(settings.names, settings.database)
        self._found, self._not_found = answers(invert_match=settings.invert_match)
        if not settings.invert_match:
            self.wanted = Wanted(texts=frozenset((COLLECTION,)))

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a request is on one of the collections, or with `invert_match` where none is."""
        for attributes in milvus_spans(trace, COLLECTION):
            if self._named.matches(attributes):
                return self._found
        return self._not_found

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
            if self._named.matches(attributes):
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


def remarks_on_names(names: Sequence[str], database: str | None, path: str, block: str) -> Iterator[str]:
    """Yield what is to be said of the names of collections at this path, and of the `database` of the block: never a match."""
    named = [(f"{path}[{index}]", name) for index, name in enumerate(names)]
    named += [(f"{block}.database", database)] if database is not None else []
    for where, name in named:
        if not name:
            yield f"{where}: is empty, and matches nothing"
        elif _LIKE_AN_EXPRESSION.search(name):
            yield f"{where}: {name!r} is not a regular expression; * stands for any text and ? for any one character"
    yield from remarks.of_doubles([name for name in names if name], path)


class CollectionPolicy(PolicySettings):
    """Traces by the Milvus collection that a request in them is on."""

    type: Literal["collection"]
    collection: CollectionSettings

    def remarks(self) -> Iterator[str]:
        """Yield names that match nothing, or that are regular expressions, which these are not."""
        yield from remarks_on_names(self.collection.names, self.collection.database, "collection.names", "collection")

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

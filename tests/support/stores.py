"""Which store tests run on: `using(kind)` says it for all that is made within; `auto` without it, as for a user.

With CI=true the native store has to be there: a test that wants it fails without it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest
from milvus_otel_processor.spans.stores import StoreKind

from tests.peers.missing import missing

HAS_NATIVE = find_spec("milvus_otel_core") is not None
_WANTED = HAS_NATIVE or os.environ.get("CI") == "true"
KINDS: tuple[StoreKind, ...] = ("reference", "native") if _WANTED else ("reference",)

_using: list[StoreKind] = ["auto"]


def kind() -> StoreKind:
    """The store that is to be made now."""
    return _using[-1]


@contextmanager
def using(chosen: StoreKind) -> Iterator[None]:
    """Make stores of this kind."""
    _using.append(chosen)
    try:
        yield
    finally:
        _using.pop()


@pytest.fixture(autouse=True, params=KINDS)
def every_store(request: pytest.FixtureRequest) -> Iterator[StoreKind]:
    """Run a test once with each store that is installed; for a conftest to import."""
    with using(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def any_store() -> None:
    """In the place of `every_store` where the store has no part in what comes out, and tests take long: a user's alone.

    `from tests.support.stores import any_store as every_store`.
    """


@pytest.fixture(scope="session")
def native_store_there() -> None:
    """Needed by tests of the native store itself."""
    if not HAS_NATIVE:
        missing("the native store is not installed: uv sync --extra native")

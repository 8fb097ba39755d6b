"""Which store tests run on: `using(kind)` says it for all that is made within; `auto` without it, as for a user."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest
from milvus_otel_processor.spans.stores import StoreKind

HAS_NATIVE = find_spec("milvus_otel_core") is not None
KINDS: tuple[StoreKind, ...] = ("reference", "native") if HAS_NATIVE else ("reference",)

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

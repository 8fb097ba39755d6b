"""Everything here is tested with each of the stores."""

from tests.support.stores import every_store, native_store_there

__all__ = ["every_store", "native_store_there"]

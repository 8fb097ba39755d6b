"""Everything here is tested with each of the stores."""

from tests.support.stores import every_store

__all__ = ["every_store"]

"""What is redacted is tested with each store."""

from tests.support.stores import every_store

__all__ = ["every_store"]

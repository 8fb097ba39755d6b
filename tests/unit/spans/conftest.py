"""Some tests are of the native store alone."""

from tests.support.stores import native_store_there

__all__ = ["native_store_there"]

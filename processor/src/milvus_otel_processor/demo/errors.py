"""What can stop the demo, as messages for the person who started it."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


class MilvusUnavailableError(DemoError):
    """The wheel of Milvus is not installed, or has no build for this platform."""


class MilvusStartError(DemoError):
    """Milvus cannot be started, or did not become healthy in time."""


class MilvusStoppedError(DemoError):
    """Milvus ended by itself; the message holds what its log says of it."""

"""What the tests of the demo share."""

from importlib.util import find_spec

import pytest

from tests.peers.missing import missing


@pytest.fixture
def real_milvus() -> None:
    """For tests that start a real Milvus: there is a wheel of it on this machine."""
    if find_spec("milvus") is None:
        missing("the wheel of Milvus is not installed: it has no build for this platform")

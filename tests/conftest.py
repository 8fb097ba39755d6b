"""What all tests share."""

from collections.abc import Iterator

import pytest

from tests.peers import cache


@pytest.fixture(scope="session", autouse=True)
def _a_long_build_shows_on_the_terminal(request: pytest.FixtureRequest) -> Iterator[None]:
    """A part that is built on first use says so while pytest captures what tests print."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with pytest.MonkeyPatch.context() as patch:
        if capture is not None:
            patch.setattr(cache, "uncaptured", capture.global_and_fixture_disabled)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the comparison with the Collector run for longer than in CI."""
    parser.addoption(
        "--differential",
        type=int,
        default=60,
        metavar="N",
        help="how many configurations of tail_sampling are compared with the Collector's (default: 60)",
    )

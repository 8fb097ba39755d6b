"""A clock that a test turns by hand."""


class Clock:
    """Tells `now`, in seconds, until it is turned on."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds

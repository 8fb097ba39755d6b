"""`python -m tests.peers`: build every part now, so that no test has to wait for it."""

from pathlib import Path

from tests.peers.collector import collector_binary
from tests.peers.jaeger import jaeger_binary
from tests.peers.prometheus import prometheus_binary

PRODUCT_MANIFEST = Path(__file__).parents[2] / "collector" / "builder.yaml"

if __name__ == "__main__":
    for binary in (collector_binary(), collector_binary(PRODUCT_MANIFEST), jaeger_binary(), prometheus_binary()):
        print(f"{binary} ({binary.stat().st_size / 1e6:.0f} MB)")

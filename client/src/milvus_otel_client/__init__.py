"""OpenTelemetry instrumentation for pymilvus whose traces join the ones of Milvus itself.

One line, before or after the clients are made::

    import milvus_otel_client

    milvus_otel_client.setup(service_name="shop")

Or none: ``opentelemetry-instrument python app.py`` finds ``MilvusInstrumentor`` by its entry point. Importing this
package changes nothing and does not import pymilvus.
"""

from milvus_otel_client.instrumentor import MilvusInstrumentor
from milvus_otel_client.provider import flush, setup
from milvus_otel_client.version import __version__

__all__ = ["MilvusInstrumentor", "__version__", "flush", "setup"]

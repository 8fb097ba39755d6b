"""The YAML file: reading it, checking it, and the typed configuration that comes out."""

from milvus_otel_processor.config.builtin import default_config_path, default_config_text
from milvus_otel_processor.config.loader import LoadedConfig, load_config
from milvus_otel_processor.config.model import Config
from milvus_otel_processor.config.problems import ConfigError, Place, Problem

__all__ = [
    "Config",
    "ConfigError",
    "LoadedConfig",
    "Place",
    "Problem",
    "default_config_path",
    "default_config_text",
    "load_config",
]

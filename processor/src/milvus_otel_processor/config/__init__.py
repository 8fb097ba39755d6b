"""The YAML file: reading it, checking it, and the typed configuration that comes out."""

from milvus_otel_processor.config.loader import LoadedConfig, default_config_path, load_config
from milvus_otel_processor.config.model import Config
from milvus_otel_processor.config.problems import ConfigError, Place, Problem

__all__ = ["Config", "ConfigError", "LoadedConfig", "Place", "Problem", "default_config_path", "load_config"]

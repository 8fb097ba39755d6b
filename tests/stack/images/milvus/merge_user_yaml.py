#!/usr/local/bin/python
"""What Milvus 2.5 and newer do themselves: user.yaml over milvus.yaml. Then start what was asked for."""

import os
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

CONFIGS = Path("/milvus/configs")


def merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    """Put what `over` says into `base`, key by key at every depth."""
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = value


yaml = YAML(typ="safe")
milvus = yaml.load(CONFIGS / "milvus.yaml")
user = CONFIGS / "user.yaml"
if user.exists():
    merge(milvus, yaml.load(user) or {})
yaml.dump(milvus, CONFIGS / "milvus.yaml")
os.execvp(sys.argv[1], sys.argv[1:])

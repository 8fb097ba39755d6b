"""Write the image's bill of materials: `python sbom.py CYCLONEDX_PY PYTHON PYMILVUS_TXT FILE`, in CycloneDX 1.6.

It is what `cyclonedx-py` finds installed beside PYTHON, with the part of pymilvus that is copied in without its metadata. What the
wheels in Rust are made of is in theirs: `*.dist-info/sboms/`.
"""

import json
import re
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Do so."""
    cyclonedx, python, pymilvus, file = sys.argv[1:]
    command = [cyclonedx, "environment", "--output-reproducible", "--of", "JSON", "--sv", "1.6", "-o", file, python]
    subprocess.run(command, check=True)  # noqa: S603 - what the Dockerfile names
    found = re.match(r"pymilvus==([\w.]+)", Path(pymilvus).read_text(encoding="utf-8"))
    assert found is not None
    path = Path(file)
    document = json.loads(path.read_text(encoding="utf-8"))
    purl = f"pkg:pypi/pymilvus@{found[1]}"
    component = {"type": "library", "bom-ref": purl, "name": "pymilvus", "version": found[1], "purl": purl}
    document["components"].append({**component, "description": "its generated gRPC messages alone"})
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


main()

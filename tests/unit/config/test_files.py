"""Files that are none: a pipe without a writer, a folder, far too much."""

import os
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest
from milvus_otel_processor.config import ConfigError, files, load_config
from milvus_otel_processor.config.files import FileError, content, fingerprint


def test_a_file_is_read_and_known_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_bytes(b"a" * 100_000)
    assert content(file) == fingerprint(file) == b"a" * 100_000
    assert fingerprint(tmp_path / "missing") is None


def test_a_pipe_that_somebody_writes_to_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Thread(target=lambda: pipe.write_bytes(b"b" * 200_000), daemon=True).start()
    assert content(pipe) == b"b" * 200_000
    assert fingerprint(pipe) is None


def test_a_pipe_that_nobody_writes_to_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PIPE_SECONDS", 0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    began = monotonic()
    with pytest.raises(ConfigError, match="nobody writes to it"):
        load_config(pipe, environ={})
    assert monotonic() - began < 5


@pytest.mark.parametrize("size", [files.LARGEST + 1, 300 << 20])
def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path, size: int) -> None:
    file = tmp_path / "large.yaml"
    file.touch()
    os.truncate(file, size)
    with pytest.raises(ConfigError, match=f"it has {size} bytes, more than a configuration may"):
        load_config(file, environ={})
    assert fingerprint(file) != b""
    main = tmp_path / "main.yaml"
    main.write_text(f"processors: ${{file:{file}}}")
    with pytest.raises(ConfigError, match=r"main\.yaml:1: .*more than a configuration may"):
        load_config(main, environ={})


def test_an_endless_device_and_a_folder_are_told(tmp_path: Path) -> None:
    for path, problem in ((Path("/dev/zero"), "more bytes than"), (tmp_path, "it is a folder, expected a file")):
        with pytest.raises(FileError, match=problem):
            content(path)
        assert fingerprint(path) is None

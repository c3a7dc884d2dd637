import gc
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.core.errors import ConfigError, DataError
from l1distill.core.workspace import (
    folder_sha256,
    output_folder,
    read_json,
    write_arrays,
    write_json,
    write_text,
)


def test_a_published_folder_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "models" / "teacher"
    target.mkdir(parents=True)
    (target / "old").touch()
    with output_folder(target) as output:
        (output.folder / "new").touch()
        assert [path.name for path in target.iterdir()] == ["old"]
        output.publish()
    assert [path.name for path in target.iterdir()] == ["new"]


def test_an_exception_leaves_the_old_output_and_no_scraps(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(RuntimeError, match="boom"), output_folder(target) as output:
        (output.folder / "new").touch()
        raise RuntimeError("boom")
    assert [path.name for path in target.iterdir()] == ["old"]
    assert {path.name for path in tmp_path.iterdir()} <= {"out", ".out.lock"}


def _write_slowly(target: Path, started: "multiprocessing.synchronize.Event") -> None:
    with output_folder(target) as output:
        (output.folder / "half").touch()
        output.work.mkdir()
        (output.work / "shard").touch()
        started.set()
        time.sleep(60)


def test_a_killed_writer_leaves_the_old_output_its_work_and_no_lock(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").touch()
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=_write_slowly, args=(target, started))
    process.start()
    assert started.wait(30)
    with pytest.raises(ConfigError, match="another l1distill process"), output_folder(target):
        pass
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    assert [path.name for path in target.iterdir()] == ["old"]
    with output_folder(target) as output:
        assert list(output.folder.iterdir()) == []
        assert [path.name for path in output.work.iterdir()] == ["shard"]
        (output.folder / "new").touch()
        output.publish()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert not output.work.exists()


def test_the_hash_sees_names_and_bytes_and_nothing_else(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "file").write_text("same")
    os.utime(second / "sub" / "file", (0, 0))
    assert folder_sha256(first) == folder_sha256(second)
    (second / "sub" / "file").write_text("other")
    assert folder_sha256(first) != folder_sha256(second)
    (second / "sub" / "file").write_text("same")
    (second / "sub" / "file").rename(second / "file")
    assert folder_sha256(first) != folder_sha256(second)


def test_json_refuses_what_is_not_a_number(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, {"auc": 0.9})
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"auc": float("nan")})
    assert read_json(path) == {"auc": 0.9}
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"a": 1}}'])
def test_a_damaged_json_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"record\.json"):
        read_json(path)


@pytest.mark.parametrize("output", ["/proc/foo", "/dev/null/foo", "/proc/self/cmdline/foo"])
def test_a_place_that_cannot_be_written_blames_no_other_process(output: str) -> None:
    with (
        pytest.raises(ConfigError, match=r"cannot be written \(.*\); choose another output="),
        output_folder(Path(output)),
    ):
        pass


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    arrays = {"weights": np.arange(6.0).reshape(2, 3), "ended": np.bool_(True), "count": 3}
    write_arrays(path, arrays)
    with np.load(path) as file:
        assert set(file) == set(arrays)
        assert all(np.array_equal(file[name], array) for name, array in arrays.items())
        assert file["weights"].dtype == np.float64
    assert [file.name for file in tmp_path.iterdir()] == ["arrays.npz"]


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_arrays(path, {"x": np.zeros(10_000), "y": np.zeros(10)}),
        lambda path: write_text(path, "x" * 10_000),
        lambda path: write_json(path, {"x": "x" * 10_000}),
    ],
)
def test_a_full_disk_leaves_the_old_file_no_scraps_and_no_second_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    """An archive that is left open complains again, when it is collected."""
    path = tmp_path / "file"
    path.write_text("old")
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(path)
        gc.collect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert unraisable == []
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]

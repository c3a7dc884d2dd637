import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from l1distill.core.errors import DataError
from l1distill.core.workspace import folder_sha256, output_folder, read_json, write_json


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
    with pytest.raises(DataError, match="another l1distill process"), output_folder(target):
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

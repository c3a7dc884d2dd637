"""Files as published, read back event by event."""

import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.tasks.anomaly.readers.public import plan, read
from l1distill.tasks.anomaly.readers.sample import SourceFile
from l1distill.tasks.anomaly.readers.settings import PublicFiles
from tests.tasks.anomaly.readers.files import random_objects, write_public


def _files(background: Path | str | list[str], **more: Any) -> PublicFiles:
    paths = background if isinstance(background, list) else str(background)
    return PublicFiles.model_validate({"reader": "public", "background": paths, **more})


def _read(files: PublicFiles) -> tuple[np.ndarray, list[int]]:
    """All events of the background, and the sizes of the chunks."""
    (sample,) = plan(files)
    chunks = [chunk for file in sample.files for chunk in sample.chunks(file)]
    assert all(chunk.read == len(chunk.objects) == len(chunk.number) for chunk in chunks)
    return np.concatenate([chunk.objects for chunk in chunks]), [chunk.read for chunk in chunks]


@pytest.mark.parametrize("chunks", [(64, 19, 4), (128, 1, 1), (7, 2, 4), None])
@pytest.mark.parametrize("chunk", [50, 128, 1000])
def test_every_event_comes_back(tmp_path: Path, chunk: int, chunks: tuple[int, ...] | None) -> None:
    objects = random_objects(300)
    path = write_public(tmp_path / "b.h5", objects, chunks)
    values, sizes = _read(_files(path, chunk=chunk))
    np.testing.assert_array_equal(values, objects)
    assert max(sizes) <= chunk


def test_no_chunk_of_the_file_is_decompressed_twice(tmp_path: Path) -> None:
    path = write_public(tmp_path / "b.h5", random_objects(300), chunks=(64, 1, 1))
    _, sizes = _read(_files(path, chunk=150))
    assert sizes == [128, 128, 44]


def test_mev_becomes_gev(tmp_path: Path) -> None:
    objects = random_objects(300)
    in_mev = objects.copy()
    in_mev[..., 0] *= 1000.0
    path = write_public(tmp_path / "b.h5", in_mev)
    values, _ = _read(_files(path, pt_unit="MeV"))
    np.testing.assert_array_equal(values.astype(np.float32), objects.astype(np.float32))
    with pytest.raises(DataError, match=r"b\.h5: pT looks like MeV.*set data\.files\.pt_unit=MeV"):
        _read(_files(path))


def test_the_limit_goes_over_files(tmp_path: Path) -> None:
    paths = [str(write_public(tmp_path / f"{k}.h5", random_objects(40, k))) for k in range(3)]
    every, _ = _read(_files(paths))
    assert len(every) == 120
    values, _ = _read(_files(paths, limit=50))
    np.testing.assert_array_equal(values, every[:50])
    (sample,) = plan(_files(paths, limit=50))
    assert [(Path(file.name).name, file.events) for file in sample.files] == [
        ("0.h5", 40),
        ("1.h5", 10),
    ]


def test_numbers_of_events_are_those_of_the_file(tmp_path: Path) -> None:
    path = write_public(tmp_path / "b.h5", random_objects(300), chunks=(64, 19, 4))
    files = _files(path, chunk=64)
    numbers = [chunk.number for chunk in read(files, SourceFile(name=str(path), events=300))]
    assert len(numbers) == 5
    np.testing.assert_array_equal(np.concatenate(numbers), np.arange(300))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    for events in (4000, 40_000):
        path = write_public(tmp_path / f"{events}.h5", random_objects(events), (1000, 19, 4))
        (sample,) = plan(_files(path, chunk=1000))
        tracemalloc.start()
        read_events = sum(chunk.read for file in sample.files for chunk in sample.chunks(file))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert read_events == events
    chunk_bytes = 1000 * 19 * 4 * 8
    assert peaks[0] > chunk_bytes, "numpy's memory is traced"
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 40 * chunk_bytes / 4


def _refusal(files: PublicFiles) -> str:
    with pytest.raises(DataError) as refusal:
        _read(files)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_what_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.h5"
    path.write_text("not HDF5")
    assert _refusal(_files(path)).startswith(f"{path}: cannot be read as HDF5")


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, kept: float) -> None:
    path = write_public(tmp_path / "b.h5", random_objects(300))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert _refusal(_files(path)).startswith(f"{path}: cannot be read as HDF5")


def test_a_damaged_chunk_is_refused(tmp_path: Path) -> None:
    path = write_public(tmp_path / "b.h5", random_objects(300), chunks=(100, 19, 4))
    with h5py.File(path) as file:
        chunk = file["Particles"].id.get_chunk_info(2)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    assert _refusal(_files(path)).startswith(f"{path}: cannot be read as HDF5")
    assert len(_read(_files(path, limit=200, chunk=100))[0]) == 200, "the others are whole"


@pytest.mark.parametrize("shape", [(5, 18, 4), (5, 19, 3), (5, 76), (5,), ()])
def test_other_shapes_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        file["Particles"] = np.zeros(shape)
    assert f"'Particles' has shape {shape}, expected (n, 19, 4)" in _refusal(_files(path))


def test_other_content_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        file["Jets"] = np.zeros(3)
    assert f"{path}: no data set 'Particles' (found: Jets)" in _refusal(_files(path))
    with h5py.File(path, "w") as file:
        file.create_group("Particles")
    assert "no data set 'Particles'" in _refusal(_files(path))
    with h5py.File(path, "w") as file:
        file["Particles"] = np.full((5, 19, 4), b"x")
    assert "'Particles' holds |S1, not numbers" in _refusal(_files(path))


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = write_public(tmp_path / "b.h5", random_objects(5), names=("E", "Eta", "Phi", "Class"))
    assert "the columns are E, Eta, Phi, Class by 'Particles_Names'" in _refusal(_files(path))


def test_objects_in_slots_of_another_class_are_refused(tmp_path: Path) -> None:
    path = write_public(tmp_path / "b.h5", random_objects(300), chunks=(64, 19, 4))
    with h5py.File(path, "r+") as file:
        file["Particles"][210, 3] = 30.0, 0.0, 0.0, 3.0
    refusal = _refusal(_files(path, chunk=64))
    assert refusal.startswith(f"{path}: slot 3 of event 210 holds class 3, expected 2; order the")


def test_urls_are_refused() -> None:
    assert "download it first" in _refusal(_files("https://host/b.h5"))

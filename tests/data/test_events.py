"""The public format: what is written, what is read back, and what is refused."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from l1distill.data.events import JETS, MET, N_OBJECTS, Events, read_events, write_events
from l1distill.errors import InputError


@pytest.fixture
def events() -> Events:
    rng = np.random.default_rng(1)
    objects = rng.uniform(0.5, 3.0, (50, N_OBJECTS, 3)).astype(np.float32)
    objects[:, MET, 1] = 0
    objects[:, JETS.start + 2 :] = 0
    return Events(objects, rng.integers(0, 4, 50).astype(np.int8))


def write_particles(path: Path, particles: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        file["Particles"] = particles
    return path


def test_round_trip(tmp_path: Path, events: Events) -> None:
    write_events(tmp_path / "b.h5", events)
    back = read_events(tmp_path / "b.h5")
    np.testing.assert_array_equal(back.objects, events.objects.astype(np.float64))
    assert back.process is not None
    np.testing.assert_array_equal(back.process, events.process)


def test_layout_is_the_published_one(tmp_path: Path, events: Events) -> None:
    write_events(tmp_path / "b.h5", events)
    with h5py.File(tmp_path / "b.h5") as file:
        particles = file["Particles"]
        assert particles.shape == (50, 19, 4)
        assert particles.dtype == np.float64
        assert particles.compression == "gzip"
        assert [name.decode() for name in file["Particles_Names"]] == [
            "Pt", "Eta", "Phi", "Class",
        ]  # fmt: skip
        assert [name.decode() for name in file["Particles_Classes"]] == [
            "MET_class_1", "Four_Ele_class_2", "Four_Mu_class_3", "Ten_Jet_class_4",
        ]  # fmt: skip
        assert file["Process"].dtype == np.int8
        classes = particles[0, :, 3]
    np.testing.assert_array_equal(classes, [1] + [2] * 4 + [3] * 4 + [4] * 2 + [0] * 8)


def test_signal_files_have_no_process(tmp_path: Path, events: Events) -> None:
    write_events(tmp_path / "s.h5", Events(events.objects))
    assert read_events(tmp_path / "s.h5").process is None
    with h5py.File(tmp_path / "s.h5") as file:
        assert "Process" not in file


def test_same_events_same_bytes_and_nothing_left_over(tmp_path: Path, events: Events) -> None:
    for name in ("one.h5", "two.h5"):
        write_events(tmp_path / name, events)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.h5", "two.h5"]


def test_failed_write_leaves_the_old_file(
    tmp_path: Path, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.h5"
    write_events(path, events)
    before = path.read_bytes()

    def no_space(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(h5py.File, "create_dataset", no_space)
    with pytest.raises(OSError, match="no space"):
        write_events(path, Events(events.objects[:3]))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_wrong_shapes_are_not_written(tmp_path: Path, events: Events) -> None:
    with pytest.raises(ValueError, match="objects"):
        write_events(tmp_path / "b.h5", Events(events.objects[:, :18]))
    with pytest.raises(ValueError, match="process"):
        write_events(tmp_path / "b.h5", Events(events.objects, np.zeros(3, dtype=np.int8)))
    assert list(tmp_path.iterdir()) == []


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_events(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.h5")


def test_not_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "text.h5"
    path.write_text("not HDF5")
    assert "not a readable HDF5 file" in refused(path)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated(tmp_path: Path, events: Events, kept: float) -> None:
    path = tmp_path / "b.h5"
    write_events(path, events)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert "truncated" in refused(path)


def test_damaged_chunk(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "b.h5"
    write_events(path, events)
    with h5py.File(path) as file:
        chunk = file["Particles"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    assert "not a readable HDF5 file" in refused(path)


def test_no_particles(tmp_path: Path) -> None:
    path = tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        file["Jets"] = np.zeros(3)
    message = refused(path)
    assert "Particles" in message
    assert "Jets" in message


@pytest.mark.parametrize("shape", [(5, 18, 4), (5, 19, 3), (5, 76), (0,)])
def test_wrong_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert str(shape) in refused(write_particles(tmp_path / "b.h5", np.zeros(shape)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_a_number_is_reported_with_its_event(tmp_path: Path, bad: float) -> None:
    particles = np.zeros((9, 19, 4))
    particles[6, 3, 1] = bad
    assert "event 6" in refused(write_particles(tmp_path / "b.h5", particles))


def test_negative_pt_is_reported_with_its_event(tmp_path: Path) -> None:
    particles = np.zeros((9, 19, 4))
    particles[:, 3, 1:3] = -1  # eta and phi may be negative
    particles[4, 10, 0] = -0.1
    assert "negative pT in event 4" in refused(write_particles(tmp_path / "b.h5", particles))


def test_process_of_another_length(tmp_path: Path) -> None:
    path = write_particles(tmp_path / "b.h5", np.zeros((9, 19, 4)))
    with h5py.File(path, "a") as file:
        file["Process"] = np.zeros(8, dtype=np.int8)
    assert "Process" in refused(path)

"""Files of events: the published layout, mapped as they stand, whole or not there."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.data.splits import Split, assign
from l1distill.tasks.anomaly.event_files import EventSpool, read_events, write_events
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MUONS, Events


@pytest.fixture
def events() -> Events:
    rng = np.random.default_rng(3)
    objects = rng.exponential(30.0, (3000, 19, 3))
    objects[rng.random((3000, 19)) < 0.5] = 0.0
    return Events(objects.astype(np.float32), rng.integers(0, 4, 3000).astype(np.int8))


def by_content(events: Events) -> list[bytes]:
    assert events.process is not None
    rows = zip(np.ascontiguousarray(events.objects), events.process, strict=True)
    return sorted(objects.tobytes() + process.tobytes() for objects, process in rows)


def test_every_event_comes_back_with_its_process(tmp_path: Path, events: Events) -> None:
    counts = write_events(tmp_path / "a.h5", events)
    read = read_events(tmp_path / "a.h5")
    assert by_content(read) == by_content(events)
    assert sum(counts.values()) == 3000


def test_parts_stand_in_order_and_keep_the_order_of_events(tmp_path: Path, events: Events) -> None:
    counts = write_events(tmp_path / "a.h5", events)
    split = assign(events.objects)
    assert list(counts.values()) == [int((split == part).sum()) for part in Split]
    order = np.concatenate([np.flatnonzero(split == part) for part in Split])
    read = read_events(tmp_path / "a.h5")
    np.testing.assert_array_equal(read.objects, events.objects[order])
    np.testing.assert_array_equal(read.process, np.asarray(events.process)[order])


def test_layout_is_the_published_one(tmp_path: Path, events: Events) -> None:
    write_events(tmp_path / "a.h5", events)
    with h5py.File(tmp_path / "a.h5") as file:
        particles = file["Particles"][:]
        names = [name.decode() for name in file["Particles_Names"]]
        classes = [name.decode() for name in file["Particles_Classes"]]
        assert file["Particles"].chunks is None
    assert particles.shape == (3000, 19, 4)
    assert names == ["Pt", "Eta", "Phi", "Class"]
    assert classes == ["MET_class_1", "Four_Ele_class_2", "Four_Mu_class_3", "Ten_Jet_class_4"]
    assert set(particles[:, 0, 3]) == {1.0}
    for slots, code in ((ELECTRONS, 2.0), (MUONS, 3.0), (JETS, 4.0)):
        present = particles[:, slots, 0] > 0
        assert set(particles[:, slots, 3][present]) == {code}
        assert set(particles[:, slots, 3][~present]) == {0.0}


def test_files_without_a_process(tmp_path: Path, events: Events) -> None:
    write_events(tmp_path / "a.h5", Events(events.objects))
    assert read_events(tmp_path / "a.h5").process is None
    with h5py.File(tmp_path / "a.h5") as file:
        assert "Process" not in file


def test_the_same_bytes_however_the_events_were_cut(tmp_path: Path, events: Events) -> None:
    write_events(tmp_path / "a.h5", events)
    with EventSpool(tmp_path / "b.h5") as spool:
        assert events.process is not None
        for start, stop in ((0, 7), (7, 7), (7, 1200), (1200, 3000)):
            spool.append(Events(events.objects[start:stop], events.process[start:stop]))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_a_failure_leaves_the_old_file(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "a.h5"
    write_events(path, events)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), EventSpool(path) as spool:
        spool.append(events)
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize(
    "objects",
    [
        np.zeros((5, 18, 3)),
        np.zeros((5, 19, 4)),
        np.zeros((5, 57)),
        np.full((5, 19, 3), np.nan),
        np.full((5, 19, 3), np.inf),
        np.full((5, 19, 3), -1.0),
        np.zeros((0, 19, 3)),
    ],
)
def test_what_is_no_set_of_events_is_not_written(tmp_path: Path, objects: Any) -> None:
    with pytest.raises(ValueError, match=r"objects|no events"):
        write_events(tmp_path / "a.h5", Events(objects))
    assert list(tmp_path.iterdir()) == []


def test_the_process_is_known_for_all_or_none(tmp_path: Path, events: Events) -> None:
    with pytest.raises(ValueError, match="process must be"):
        write_events(tmp_path / "a.h5", Events(events.objects, np.zeros(2, np.int8)))
    with pytest.raises(ValueError, match="for all events or for none"):  # noqa: SIM117
        with EventSpool(tmp_path / "a.h5") as spool:
            spool.append(events)
            spool.append(Events(events.objects))


def test_nothing_is_read_before_it_is_used(tmp_path: Path, events: Events) -> None:
    write_events(tmp_path / "a.h5", events)
    objects = read_events(tmp_path / "a.h5").objects
    assert isinstance(objects.base, np.memmap)
    assert objects.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        objects[0] = 1.0


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_events(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "a.h5")


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.3, 0.9])
def test_truncated(tmp_path: Path, events: Events, kept: float) -> None:
    path = tmp_path / "a.h5"
    write_events(path, events)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert "truncated" in refused(path)


def test_another_layout_says_how_to_bring_it_in(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "published.h5"
    particles = np.zeros((10, 19, 4))
    for content, options in (
        (particles, {"compression": "gzip"}),
        (particles, {}),  # float64
        (particles.astype(np.float32)[:, :18], {}),
        (particles.astype(np.float32).reshape(10, 76), {}),
        (np.float32(3.0), {}),
        (np.array([b"words"]), {}),
    ):
        with h5py.File(path, "w") as file:
            file.create_dataset("Particles", data=content, **options)
        assert "data=public" in refused(path)
    with h5py.File(path, "w") as file:
        file["Other"] = particles
    assert "'Particles'" in refused(path)


def test_process_of_another_length(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "a.h5"
    write_events(path, events)
    with h5py.File(path, "r+") as file:
        del file["Process"]
        file["Process"] = np.zeros(7, np.int8)
    assert "7 entries for 3000 events" in refused(path)

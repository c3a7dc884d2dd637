"""Data sets of this platform, put together."""

from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import ConfigError, DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, write_card
from l1distill.tasks.anomaly.event_files import write_events
from l1distill.tasks.anomaly.events import Events
from l1distill.tasks.anomaly.readers import own
from l1distill.tasks.anomaly.readers.own import plan
from l1distill.tasks.anomaly.readers.settings import OwnFolders
from tests.tasks.anomaly.readers.files import random_objects


def write_dataset(folder: Path, samples: dict[str, Events], missing: list[str]) -> Path:
    folder.mkdir()
    files = {}
    for name, events in samples.items():
        path = folder / f"{name}.h5"
        files[name] = FileCard(**write_events(path, events), sha256=file_sha256(path))
    card = Card(dataset="x", settings={}, versions={}, files=files, checks={}, missing=missing)
    write_card(folder, card)
    return folder


def _events(count: int, seed: int, process: bool = True) -> Events:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, count).astype(np.int8) if process else None
    return Events(random_objects(count, seed).astype(np.float32), codes)


def _folders(*folders: Path) -> OwnFolders:
    return OwnFolders(reader="own", folders=[str(folder) for folder in folders])


def _rows(events: Events) -> list[bytes]:
    assert events.process is not None
    return sorted(
        o.tobytes() + p.tobytes() for o, p in zip(events.objects, events.process, strict=True)
    )


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    first = {"background": _events(300, 1), "a_4l": _events(80, 2, process=False)}
    second = {"background": _events(200, 3), "zprime": _events(50, 4, process=False)}
    return (
        write_dataset(tmp_path / "one", first, ["no pileup", "no taus"]),
        write_dataset(tmp_path / "two", second, ["no pileup", "no photons"]),
    )


def _read(files: OwnFolders) -> dict[str, Events]:
    samples = {}
    for sample in plan(files):
        chunks = [chunk for file in sample.files for chunk in sample.chunks(file)]
        process = [chunk.process for chunk in chunks if chunk.process is not None]
        samples[sample.name] = Events(
            np.concatenate([chunk.objects for chunk in chunks]),
            np.concatenate(process) if process else None,
        )
    return samples


@pytest.mark.parametrize("chunk", [64, 1000])
def test_samples_of_one_name_are_put_together(
    two: tuple[Path, Path], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "_CHUNK", chunk)
    samples = _read(_folders(*two))
    assert list(samples) == ["background", "a_4l", "zprime"]
    assert _rows(samples["background"]) == sorted(_rows(_events(300, 1)) + _rows(_events(200, 3)))
    assert samples["a_4l"].process is None
    assert len(samples["a_4l"].objects) == 80
    assert len(samples["zprime"].objects) == 50


def test_what_the_data_sets_lack_is_handed_on(two: tuple[Path, Path]) -> None:
    notes = plan(_folders(*two))[0].notes
    assert set(notes) == {"no pileup", "no taus", "no photons"}


def test_a_process_that_is_not_known_everywhere_is_left_out(tmp_path: Path) -> None:
    one = write_dataset(tmp_path / "one", {"background": _events(30, 1)}, [])
    two = write_dataset(tmp_path / "two", {"background": _events(20, 2, process=False)}, [])
    files = _folders(one, two)
    assert _read(files)["background"].process is None
    assert any("process" in note for note in plan(files)[0].notes)


def test_a_file_that_is_not_the_cards_is_refused(two: tuple[Path, Path]) -> None:
    write_events(two[1] / "zprime.h5", _events(50, 9, process=False))
    with pytest.raises(DataError, match=r"zprime\.h5: not the file that card\.json describes"):
        _read(_folders(*two))


def test_folders_that_are_no_data_sets_are_refused(tmp_path: Path, two: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match=r"^data\.files\.folders: give it data sets"):
        plan(_folders())
    with pytest.raises(DataError, match="nowhere: no such data set"):
        plan(_folders(two[0], tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"^data\.files\.folders: names .*one twice"):
        plan(_folders(two[0], two[1], two[1] / ".." / "one"))

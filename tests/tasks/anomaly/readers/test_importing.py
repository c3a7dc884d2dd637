"""Imports: what they write, what they say about it, and when they convert again."""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from l1distill.core.errors import ConfigError, DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.splits import Split, assign
from l1distill.tasks.anomaly.event_files import read_events
from l1distill.tasks.anomaly.events import FEATURES, Events
from l1distill.tasks.anomaly.readers import importing
from l1distill.tasks.anomaly.readers.importing import Imported, count_events, import_files
from l1distill.tasks.anomaly.readers.settings import EventFiles
from tests.tasks.anomaly.readers.files import (
    random_collisions,
    random_objects,
    write_nanoaod,
    write_public,
)
from tests.tasks.anomaly.readers.test_own import write_dataset

FILES: TypeAdapter[EventFiles] = TypeAdapter(EventFiles)


class Bench:
    """A place to import into, and an eye on what is converted."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.converted: list[str] = []
        self.reported = 0
        convert = importing._convert

        def spy(sample: Any, *others: Any) -> Any:
            self.converted.append(sample.name)
            return convert(sample, *others)

        monkeypatch.setattr(importing, "_convert", spy)
        self.runs = 0

    def __call__(self, reader: str, **settings: Any) -> Imported:
        """Imports into a new folder."""
        self.runs += 1
        self.output = self.folder / f"output{self.runs}"
        self.output.mkdir()
        self.converted.clear()
        self.reported = 0
        files = FILES.validate_python({"reader": reader, **settings})
        return import_files(files, self.output, self._progress, self.cache)

    def _progress(self, events: int) -> None:
        self.reported += events

    def objects(self, sample: str) -> np.ndarray:
        return read_events(self.output / f"{sample}.h5").objects


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def _by_part(objects: np.ndarray) -> np.ndarray:
    objects = objects.astype(np.float32)
    part = assign(objects)
    return np.concatenate([objects[part == split] for split in Split])


def test_public_files_become_samples(bench: Bench) -> None:
    objects = [random_objects(500, seed) for seed in range(3)]
    paths = [
        str(write_public(bench.folder / f"{k}.h5", values)) for k, values in enumerate(objects)
    ]
    signals = {"zprime": paths[2], "a_4l": None}
    imported = bench("public", background=paths[:2], signals=signals, chunk=128)
    expected = np.concatenate(objects[:2])
    np.testing.assert_array_equal(bench.objects("background"), _by_part(expected))
    np.testing.assert_array_equal(bench.objects("zprime"), _by_part(objects[2]))
    assert sorted(path.name for path in bench.output.iterdir()) == ["background.h5", "zprime.h5"]

    assert list(imported.files) == ["background", "zprime"]
    assert [card.events for card in imported.files.values()] == [1000, 500]
    for name, card in imported.files.items():
        assert card.sha256 == file_sha256(bench.output / f"{name}.h5")
        counts = np.bincount(assign(bench.objects(name)), minlength=3)
        assert [card.train, card.test, card.validation] == counts.tolist()
    assert [(s.sample, s.file, s.sha256, s.events) for s in imported.sources] == [
        ("background", "0.h5", file_sha256(Path(paths[0])), 500),
        ("background", "1.h5", file_sha256(Path(paths[1])), 500),
        ("zprime", "2.h5", file_sha256(Path(paths[2])), 500),
    ]
    assert bench.reported == 1500


@pytest.mark.parametrize("limit", [None, 700])
def test_events_are_counted_from_headers(
    bench: Bench, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [str(write_public(bench.folder / f"{k}.h5", random_objects(500, k))) for k in (1, 2)]
    settings = {"background": paths, "signals": {"x": paths[0]}, "limit": limit}
    bench("public", **settings)

    def read(*_: object) -> None:
        raise AssertionError("counting reads no events")

    monkeypatch.setattr(importing.public, "read", read)
    monkeypatch.setattr("h5py.Dataset.__getitem__", lambda *_: np.array(FEATURES, dtype="S"))
    counted = count_events(FILES.validate_python({"reader": "public", **settings}))
    assert counted == bench.reported == (1500 if limit is None else 1200)


def test_repairs_are_noted(bench: Bench) -> None:
    objects = random_objects(300)
    objects[:40, 9:11] = [[30.0, 1.0, 1.0], [40.0, 1.0, 1.0]]
    objects[:5, 0] = 50.0, 0.5, 4.0
    path = write_public(bench.folder / "b.h5", objects)
    imported = bench("public", background=str(path), chunk=100)
    repairs = [note for note in imported.notes if note.startswith("background: ")]
    assert any(note.startswith("background: 40 of 300 events had objects out") for note in repairs)
    assert any(note.startswith("background: 5 of 300 events had a MET with") for note in repairs)
    assert any(note.startswith("background: 5 of 300 events had a phi out") for note in repairs)
    assert len(repairs) == 3
    pt = bench.objects("background")[:, 9:, 0]
    assert (np.diff(pt, axis=1) <= 0).all()
    assert bench("public", background=str(path)).notes == imported.notes, "also from the cache"


def test_a_bad_number_is_named_by_its_place_in_the_file(bench: Bench) -> None:
    for k, (bad, says) in enumerate([(np.nan, "NaN or infinity"), (-1.0, "negative pT")]):
        objects = random_objects(500, seed=k)
        objects[277, 4, 0] = bad
        first = write_public(bench.folder / f"{k}first.h5", random_objects(500, 9), (100, 19, 4))
        path = write_public(bench.folder / f"{k}.h5", objects, (100, 19, 4))
        with pytest.raises(DataError) as refusal:
            bench("public", background=[str(first), str(path)], chunk=100)
        assert str(refusal.value).startswith(f"{path}: {says} in event 277; ")
        assert bench.reported == 700, "it is in the third chunk of the second file"
        assert list(bench.output.iterdir()) == []
        assert list(bench.cache.glob("*.h5")) == []


def test_mev_gives_what_gev_gives(bench: Bench) -> None:
    objects = random_objects(300)
    bench("public", background=str(write_public(bench.folder / "gev.h5", objects)))
    expected = bench.objects("background")
    objects[..., 0] *= 1000.0
    path = str(write_public(bench.folder / "mev.h5", objects))
    with pytest.raises(DataError, match=r"mev\.h5: pT looks like MeV.*data\.files\.pt_unit=MeV"):
        bench("public", background=path)
    bench("public", background=path, pt_unit="MeV")
    np.testing.assert_array_equal(bench.objects("background"), expected)


def test_files_are_converted_once(bench: Bench) -> None:
    path = write_public(bench.folder / "b.h5", random_objects(300))
    other = write_public(bench.folder / "s.h5", random_objects(200, 1))
    settings = {"background": str(path), "signals": {"x": str(other)}}
    first = bench("public", **settings)
    assert bench.converted == ["background", "x"]
    content = [(bench.output / f"{name}.h5").read_bytes() for name in first.files]
    second = bench("public", **settings, chunk=10)
    assert bench.converted == []
    assert bench.reported == 500
    assert second == first
    assert [(bench.output / f"{name}.h5").read_bytes() for name in second.files] == content


def test_content_decides_not_the_name(bench: Bench) -> None:
    path = write_public(bench.folder / "b.h5", random_objects(300))
    bench("public", background=str(path))
    path.rename(bench.folder / "renamed.h5")
    moved = bench("public", background=str(bench.folder / "renamed.h5"))
    assert bench.converted == []
    assert [source.file for source in moved.sources] == ["renamed.h5"]

    write_public(path, random_objects(300, 1))
    bench("public", background=str(path))
    assert bench.converted == ["background"]
    np.testing.assert_array_equal(bench.objects("background"), _by_part(random_objects(300, 1)))


@pytest.mark.parametrize("change", [{"limit": 250}, {"pt_unit": "MeV"}])
def test_settings_that_matter_decide_too(bench: Bench, change: dict[str, Any]) -> None:
    objects = random_objects(300)
    objects[..., 0] *= 9.0  # passes in either unit
    path = str(write_public(bench.folder / "b.h5", objects))
    bench("public", background=path)
    before = bench.objects("background")
    bench("public", background=path, **change)
    assert bench.converted == ["background"]
    assert not np.array_equal(bench.objects("background"), before)


def test_the_order_of_files_is_that_of_events(bench: Bench) -> None:
    paths = [str(write_public(bench.folder / f"{k}.h5", random_objects(300, k))) for k in (1, 2)]
    for order in (paths, paths[::-1]):
        bench("public", background=order)
        assert bench.converted == ["background"]
        objects = [random_objects(300, int(Path(path).stem)) for path in order]
        np.testing.assert_array_equal(
            bench.objects("background"), _by_part(np.concatenate(objects))
        )


@pytest.mark.parametrize("damage", ["copy", "account", "half"])
def test_a_damaged_copy_is_made_anew(bench: Bench, damage: str) -> None:
    path = str(write_public(bench.folder / "b.h5", random_objects(300)))
    bench("public", background=path)
    (copy,), (account,) = bench.cache.glob("*.h5"), bench.cache.glob("*.json")
    if damage == "copy":
        content = bytearray(copy.read_bytes())
        content[len(content) // 2] ^= 1
        copy.write_bytes(content)
    elif damage == "account":
        account.write_text("{")
    else:
        copy.unlink()
    bench("public", background=path)
    assert bench.converted == ["background"]
    np.testing.assert_array_equal(bench.objects("background"), _by_part(random_objects(300)))


def test_without_links_copies_are_made(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("another file system")

    path = str(write_public(bench.folder / "b.h5", random_objects(300)))
    monkeypatch.setattr(importing.os, "link", refuse)
    bench("public", background=path)
    (copy,) = bench.cache.glob("*.h5")
    target = bench.output / "background.h5"
    assert copy.read_bytes() == target.read_bytes()
    assert not copy.samefile(target)


def test_an_import_that_stops_leaves_nothing(bench: Bench) -> None:
    path = str(write_public(bench.folder / "b.h5", random_objects(300)))

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    files = FILES.validate_python({"reader": "public", "background": path, "chunk": 100})
    bench.folder.joinpath("out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        import_files(files, bench.folder / "out", stop, bench.cache)
    assert [path.suffix for path in bench.cache.iterdir()] == [".lock"]
    assert list((bench.folder / "out").iterdir()) == []


def test_nanoaod_files_become_samples(bench: Bench) -> None:
    paths = [
        str(write_nanoaod(bench.folder / f"{k}.root", random_collisions(200, k))) for k in (1, 2)
    ]
    imported = bench("nanoaod", background=str(bench.folder / "*.root"), signals={"x": paths[0]})
    assert bench.reported == 600
    kept = [source.events for source in imported.sources]
    assert imported.files["background"].events == kept[0] + kept[1]
    assert 0 < imported.files["x"].events == kept[0] == kept[2] < 200
    leading = bench.objects("background")[:, [1, 5], 0].max(axis=1)
    assert (leading > 23.0).all()
    assert bench("nanoaod", background=paths[0]).files["background"] == imported.files["x"]
    assert bench.converted == [], "the same file was converted as a signal"
    bench("nanoaod", background=paths[0], jet_pt_min=30.0)
    assert bench.converted == ["background"]


def test_what_others_have_decides_what_a_sample_is_selected_by(bench: Bench) -> None:
    collisions = random_collisions(200, 1)
    path = str(write_nanoaod(bench.folder / "b.root", collisions))
    bench("nanoaod", background=path)
    assert bench.converted == ["background"]
    bench("nanoaod", background=path, met="PuppiMET")
    assert bench.converted == [], "auto was PuppiMET"
    bench("nanoaod", background=path, met="MET")
    assert bench.converted == ["background"]


def test_nothing_left_is_refused(bench: Bench) -> None:
    path = str(write_nanoaod(bench.folder / "b.root", random_collisions(50)))
    far = {"electron_pt_min": 1e6, "muon_pt_min": 1e6}
    with pytest.raises(DataError, match=r"^background: none of its events is left"):
        bench("nanoaod", background=path, filter=far)
    empty = str(write_public(bench.folder / "b.h5", random_objects(0)))
    with pytest.raises(DataError, match=r"^background: its files hold no events"):
        bench("public", background=empty)


def test_own_data_sets_become_one(bench: Bench) -> None:
    rng = np.random.default_rng(0)
    folders = []
    for k in range(2):
        process = rng.integers(0, 4, 200).astype(np.int8)
        events = Events(random_objects(200, k).astype(np.float32), process)
        folders.append(write_dataset(bench.folder / str(k), {"background": events}, ["no taus"]))
    imported = bench("own", folders=[str(folder) for folder in folders])
    assert imported.notes == ["no taus"]
    assert bench.reported == 400
    assert not bench.cache.exists(), "a copy would be as quick to read as the original"
    merged = read_events(bench.output / "background.h5")
    expected = np.concatenate([random_objects(200, k) for k in range(2)]).astype(np.float32)
    assert {row.tobytes() for row in np.asarray(merged.objects)} == {r.tobytes() for r in expected}
    assert merged.process is not None
    for source, folder in zip(imported.sources, folders, strict=True):
        assert source.sha256 == file_sha256(folder / "background.h5")

    alone = bench("own", folders=[str(folders[0])])
    assert alone.files["background"].sha256 == file_sha256(folders[0] / "background.h5")


@pytest.mark.parametrize(
    ("paths", "error", "says"),
    [
        (None, ConfigError, "data.files.background: give it a file, for example data.files.back"),
        ("none.h5", DataError, "data.files.background=none.h5: no such file"),
        ("none*.h5", DataError, "data.files.background=none*.h5: matches no file"),
        (".", ConfigError, "data.files.background=.: a folder; give files, for example"),
        (["b.h5", "b*.h5"], ConfigError, "data.files.background: names b.h5 twice"),
    ],
)
def test_paths_that_lead_nowhere_are_refused(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    paths: str | Sequence[str] | None,
    error: type[Exception],
    says: str,
) -> None:
    monkeypatch.chdir(bench.folder)
    write_public(bench.folder / "b.h5", random_objects(10))
    for reader in ("public", "nanoaod"):
        with pytest.raises(error) as refusal:
            bench(reader, background=paths)
        assert str(refusal.value).startswith(says)
    with pytest.raises(DataError, match=r"^data\.files\.signals\.x=gone\.h5: no such file"):
        bench("public", background="b.h5", signals={"x": "gone.h5"})


def test_names_with_brackets_and_hidden_files(bench: Bench) -> None:
    odd = write_public(bench.folder / "run[1].h5", random_objects(20))
    write_public(bench.folder / ".run[1].h5.part", random_objects(30))
    write_public(bench.folder / ".unfinished.h5", random_objects(30))
    assert bench("public", background=str(odd)).files["background"].events == 20
    assert bench("public", background=f"{bench.folder}/*.h5").files["background"].events == 20


def test_memory_does_not_grow_with_the_files(bench: Bench) -> None:
    peaks = []
    for count in (1, 8):
        paths = [
            str(
                write_public(
                    bench.folder / f"{count}-{k}.h5", random_objects(3000, k), (500, 19, 4)
                )
            )
            for k in range(count)
        ]
        tracemalloc.start()
        bench("public", background=paths, chunk=500)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert bench.reported == 3000 * count
    # putting the parts together copies blocks of 65,536 events, here all of them
    assert peaks[1] < peaks[0] + 24_000 * 19 * 4 * 4

"""NanoAOD files, held against a loop over events and objects in plain Python."""

import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from l1distill.tasks.anomaly.readers.nanoaod import plan
from tests.tasks.anomaly.readers.files import Event, write_nanoaod
from tests.tasks.anomaly.readers.plain_loop import (
    files_of,
    passes,
    read_all,
    refused,
    rows_of,
)


@pytest.mark.parametrize("chunk", [37, 1000])
@pytest.mark.parametrize("container", ["tree", "rntuple"])
def test_events_are_those_of_a_plain_loop(
    tmp_path: Path, collisions: list[Event], chunk: int, container: str
) -> None:
    path = write_nanoaod(tmp_path / "b.root", collisions, container=container)
    expected = [rows_of(event) for event in collisions]
    passing = [number for number, rows in enumerate(expected) if passes(rows)]
    assert 40 < len(passing) < 360
    objects, number, read = read_all(files_of(path, chunk=chunk))
    assert number.tolist() == passing
    np.testing.assert_array_equal(objects, np.array(expected, dtype=np.float32)[passing])
    assert sum(read) == 400
    assert max(read) == min(chunk, 400)


def test_the_sample_has_what_the_selection_is_about(collisions: list[Event]) -> None:
    """Else the comparison above would show nothing."""
    kept = [rows_of(event) for event in collisions]
    assert sum(rows[4][0] > 0 for rows in kept) > 5, "events with four electrons"
    assert sum(rows[18][0] > 0 for rows in kept) > 5, "events with ten jets"
    without_leptons = [rows_of({**event, "Electron": [], "Muon": []}) for event in collisions]
    dropped = sum(a[9:] != b[9:] for a, b in zip(kept, without_leptons, strict=True))
    assert dropped > 50, "events with a jet on a lepton"
    pt = [[one["pt"] for one in event["Jet"]] for event in collisions]
    assert sum(one != sorted(one, reverse=True) for one in pt) > 100, "events with jets unsorted"


def test_without_a_filter_all_events_are_there(path: Path, collisions: list[Event]) -> None:
    objects, number, _ = read_all(files_of(path, filter=None))
    assert number.tolist() == list(range(400))
    np.testing.assert_array_equal(
        objects, np.array([rows_of(event) for event in collisions], dtype=np.float32)
    )


def test_several_files_and_globs(tmp_path: Path, collisions: list[Event]) -> None:
    for k in range(3):
        (tmp_path / f"day{k}").mkdir()
        write_nanoaod(tmp_path / f"day{k}" / "b.root", collisions[100 * k : 100 * (k + 1)])
    write_nanoaod(tmp_path / "last.root", collisions[300:])
    files = files_of([str(tmp_path / "day*" / "*.root"), str(tmp_path / "last.root")])
    objects, number, _ = read_all(files)
    passing = [rows for event in collisions if passes(rows := rows_of(event))]
    np.testing.assert_array_equal(objects, np.array(passing, dtype=np.float32))
    assert number.max() < 100, "events are numbered by file"


def test_the_limit_is_on_events_looked_at(path: Path, collisions: list[Event]) -> None:
    objects, number, read = read_all(files_of(path, limit=130, chunk=50))
    assert read == [50, 50, 30]
    assert number.max() < 130
    assert len(objects) == sum(passes(rows_of(event)) for event in collisions[:130])


def test_mev(tmp_path: Path, path: Path, collisions: list[Event]) -> None:
    in_mev = [
        {
            collection: [{**one, "pt": np.float32(1000) * one["pt"]} for one in objects]
            for collection, objects in event.items()
        }
        for event in collisions
    ]
    other = write_nanoaod(tmp_path / "b.root", in_mev)
    objects, number, _ = read_all(files_of(other, pt_unit="MeV"))
    expected, expected_number, _ = read_all(files_of(path))
    np.testing.assert_array_equal(number, expected_number)
    np.testing.assert_allclose(objects, expected, rtol=1e-6)
    assert refused(files_of(other)).endswith("; set data.files.pt_unit=MeV")


@pytest.mark.parametrize(
    ("collection", "column", "value", "says"),
    [
        ("Electron", "pt", np.nan, "NaN or infinity"),
        ("Jet", "phi", np.inf, "NaN or infinity"),
        ("Muon", "pfRelIso04_all", np.nan, "NaN or infinity"),
        ("MET", "pt", np.nan, "NaN or infinity"),
        ("Jet", "pt", -5.0, "negative pT"),
        ("Muon", "pt", -0.1, "negative pT"),
        ("MET", "pt", -1.0, "negative pT"),
    ],
)
def test_bad_numbers_are_refused_before_a_cut_can_hide_them(
    tmp_path: Path, collisions: list[Event], collection: str, column: str, value: float, says: str
) -> None:
    bad = [{name: [dict(one) for one in some] for name, some in e.items()} for e in collisions]
    number = next(n for n in range(250, 400) if bad[n][collection])
    bad[number][collection][-1][column] = np.float32(value)
    path = write_nanoaod(tmp_path / "b.root", bad)
    refusal = refused(files_of(path, met="MET", chunk=100))
    assert refusal.startswith(f"{path}: {says} in event {number}; ")


def _write_branches(path: Path, **other: Any) -> Path:
    """A file with all branches that are needed, most of them alike."""
    lists = ak.Array([[30.0], [], [40.0, 50.0], [30.0]])
    columns = [("Electron", "Muon", "Jet"), ("pt", "eta", "phi")]
    names = [f"{collection}_{column}" for collection, column in itertools.product(*columns)]
    content = dict.fromkeys(names, lists) | {"MET_pt": np.ones(4), "MET_phi": np.ones(4)}
    with uproot.recreate(path) as file:
        file.mkrntuple("Events", {**content, **other})
    return path


def test_lists_of_different_length_are_refused(tmp_path: Path) -> None:
    path = _write_branches(tmp_path / "b.root", Muon_eta=ak.Array([[1.0], [], [1.0], [1.0]]))
    assert "Muon_pt and Muon_eta differ in length in event 2" in refused(files_of(path))


def test_a_branch_of_another_type_is_refused(tmp_path: Path) -> None:
    path = _write_branches(tmp_path / "b.root", Electron_pt=np.ones(4))
    assert refused(files_of(path)).startswith(f"{path}: the branch Electron_pt holds no list of")
    path = _write_branches(tmp_path / "b.root", MET_phi=ak.Array([[1.0], [], [], []]))
    assert refused(files_of(path)).startswith(f"{path}: the branch MET_phi holds no number")


def test_another_tree(tmp_path: Path, collisions: list[Event]) -> None:
    path = write_nanoaod(tmp_path / "b.root", collisions[:50], tree="Other")
    assert refused(files_of(path)) == (
        f"{path}: no tree Events (found: Other); set data.files.tree"
    )
    assert len(read_all(files_of(path, tree="Other", filter=None))[0]) == 50


def test_what_is_no_tree_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.root"
    with uproot.recreate(path) as file:
        file["Events"] = np.histogram([1.0, 2.0])
    assert "Events is no tree of events" in refused(files_of(path))


def test_what_is_no_root_file_is_refused(tmp_path: Path, path: Path) -> None:
    other = tmp_path / "b.root"
    other.write_text("not a ROOT file " * 100)
    assert refused(files_of(other)).startswith(f"{other}: cannot be read (not a ROOT file")
    other.write_bytes(b"")
    assert refused(files_of(other)).startswith(f"{other}: cannot be read (")
    other.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    assert refused(files_of(other)).startswith(f"{other}: cannot be read (")


def test_a_damaged_basket_is_refused(tmp_path: Path, path: Path) -> None:
    content = bytearray(path.read_bytes())
    with uproot.open({path: "Events"}) as tree:
        branch = tree["Jet_pt"]
        assert branch.num_baskets == 2
        at = branch.member("fBasketSeek")[1] + branch.basket_key(1).fKeylen
    content[at : at + 64] = bytes(64)
    other = tmp_path / "b.root"
    other.write_bytes(content)
    refusal = refused(files_of(other))
    assert refusal.startswith(f"{other}: cannot be read (")


def test_memory_does_not_grow_with_the_file(tmp_path: Path, collisions: list[Event]) -> None:
    peaks = []
    for times in (2, 6):
        path = write_nanoaod(tmp_path / "b.root", collisions, times=times)
        (sample,) = plan(files_of(path, chunk=400))
        tracemalloc.start()
        read = sum(chunk.read for file in sample.files for chunk in sample.chunks(file))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert read == 400 * times
    assert peaks[1] < 1.4 * peaks[0]

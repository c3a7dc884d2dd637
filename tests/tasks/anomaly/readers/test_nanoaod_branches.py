"""Which branches and files of NanoAOD are read, and what is said of those that are not."""

from pathlib import Path

import numpy as np
import pytest
import uproot

from l1distill.tasks.anomaly.readers.nanoaod import plan
from tests.tasks.anomaly.readers.files import Event, write_nanoaod
from tests.tasks.anomaly.readers.plain_loop import (
    files_of,
    read_all,
    refused,
    rows_of,
)


@pytest.mark.parametrize(
    ("met", "without", "used"),
    [
        ("auto", [], "PuppiMET"),
        ("MET", [], "MET"),
        ("PuppiMET", [], "PuppiMET"),
        ("auto", ["PuppiMET_pt", "PuppiMET_phi"], "MET"),
        ("auto", ["PuppiMET_phi"], "MET"),
        ("auto", ["MET_pt", "MET_phi"], "PuppiMET"),
    ],
)
def test_met(
    tmp_path: Path, collisions: list[Event], met: str, without: list[str], used: str
) -> None:
    path = write_nanoaod(tmp_path / "b.root", collisions[:50], without)
    files = files_of(path, met=met, filter=None)
    expected = [rows_of(event, used)[0] for event in collisions[:50]]
    np.testing.assert_array_equal(read_all(files)[0][:, 0], np.array(expected, dtype=np.float32))
    assert f"MET is {used} of NanoAOD." in plan(files)[0].notes


@pytest.mark.parametrize(
    ("met", "without", "says"),
    [
        ("MET", ["MET_phi"], "no branch MET_phi; choose another data.files.met"),
        ("PuppiMET", ["PuppiMET_pt"], "no branch PuppiMET_pt; choose another data.files.met"),
        ("auto", ["PuppiMET_pt", "MET_pt"], "no branch PuppiMET_pt or MET_pt or PFMET_pt; choose"),
    ],
)
def test_a_missing_met_is_named(
    tmp_path: Path, collisions: list[Event], met: str, without: list[str], says: str
) -> None:
    path = write_nanoaod(tmp_path / "b.root", collisions[:5], without)
    assert refused(files_of(path, met=met)).startswith(f"{path}: {says}")


@pytest.mark.parametrize("branch", ["Electron_pt", "Muon_eta", "Jet_phi"])
def test_a_missing_branch_is_named(tmp_path: Path, collisions: list[Event], branch: str) -> None:
    path = write_nanoaod(tmp_path / "b.root", collisions[:5], [branch])
    assert refused(files_of(path)).startswith(f"{path}: no branch {branch} in the tree Events; ")


IDENTIFICATION = ["Electron_cutBased", "Muon_looseId", "Muon_pfRelIso04_all"]


def test_identification_that_no_file_has_is_left_out_and_noted(
    tmp_path: Path, collisions: list[Event]
) -> None:
    path = write_nanoaod(tmp_path / "b.root", collisions, IDENTIFICATION)
    files = files_of(path, filter=None)
    expected = [rows_of(event, identified=False) for event in collisions]
    np.testing.assert_array_equal(read_all(files)[0], np.array(expected, dtype=np.float32))
    for branch in IDENTIFICATION:
        note = f"Leptons were not identified by {branch}: the files have no such branch."
        assert note in plan(files)[0].notes


def test_identification_that_nobody_asks_for_is_left_out_and_noted(
    path: Path, collisions: list[Event]
) -> None:
    files = files_of(
        path,
        filter=None,
        electron_cut_based_min=None,
        muon_loose_id=False,
        muon_isolation_max=None,
    )
    expected = [rows_of(event, identified=False) for event in collisions]
    np.testing.assert_array_equal(read_all(files)[0], np.array(expected, dtype=np.float32))
    for branch in IDENTIFICATION:
        assert f"Leptons were not identified by {branch}: not asked for." in plan(files)[0].notes


@pytest.mark.parametrize(
    ("branch", "way_out"),
    [
        ("Electron_cutBased", "data.files.electron_cut_based_min=null"),
        ("Muon_looseId", "data.files.muon_loose_id=false"),
        ("Muon_pfRelIso04_all", "data.files.muon_isolation_max=null"),
        ("PuppiMET_phi", "data.files.met"),
    ],
)
def test_samples_are_not_selected_differently(
    tmp_path: Path, path: Path, collisions: list[Event], branch: str, way_out: str
) -> None:
    signal = write_nanoaod(tmp_path / "s.root", collisions[:5], [branch])
    refusal = refused(files_of(path, signals={"x": str(signal)}))
    assert refusal.startswith(f"{signal}: no branch {branch}, which {path} has; ")
    assert refusal.endswith(way_out)


def _write_empty(path: Path) -> Path:
    """Writes the file of a job that kept no event: none of the branches that are needed."""
    with uproot.recreate(path) as file:
        file.mktree("Events", {"run": "uint32"})
    return path


def test_files_without_events_are_skipped_counted_and_named(tmp_path: Path, path: Path) -> None:
    empty = _write_empty(tmp_path / "none.root")
    files = files_of([str(empty), str(path)], signals={"x": [str(path), str(empty)]})
    background, signal = plan(files)
    np.testing.assert_array_equal(read_all(files)[0], read_all(files_of(path))[0])
    skipped = "1 of 2 files hold no events and were skipped: none.root."
    assert background.skipped == [f"background: {skipped}"]
    assert signal.skipped == [f"x: {skipped}"]
    assert [file.name for file in signal.files] == [str(path)]
    assert refused(files_of(empty)) == "data.files: no file holds events; give others"


def test_a_collection_may_be_absent_on_request(tmp_path: Path, collisions: list[Event]) -> None:
    columns = [f"Electron_{name}" for name in ("pt", "eta", "phi", "cutBased")]
    other = write_nanoaod(tmp_path / "b.root", collisions, columns)
    whole = write_nanoaod(tmp_path / "s.root", collisions)
    assert "data.files.absent_collections=[Electron]" in refused(files_of(other))
    files = files_of(other, signals={"x": str(whole)}, absent_collections=["Electron"], filter=None)
    expected = [rows_of({**event, "Electron": []}) for event in collisions]
    for sample in plan(files):  # electrons in one sample alone would tell it from the other
        chunks = [chunk.objects for file in sample.files for chunk in sample.chunks(file)]
        np.testing.assert_array_equal(np.concatenate(chunks), np.array(expected, np.float32))
        assert any(note.startswith("No Electron: ") for note in sample.notes)
    partly = write_nanoaod(tmp_path / "p.root", collisions[:5], columns[:1])
    refusal = refused(files_of(partly, absent_collections=["Electron"]))
    assert refusal == f"{partly}: no branch Electron_pt in the tree Events; give CMS NanoAOD files"


def test_met_of_version_15(tmp_path: Path, collisions: list[Event]) -> None:
    events = [{**event, "PFMET": event["MET"]} for event in collisions[:50]]
    without = [f"{met}_{name}" for met in ("MET", "PuppiMET") for name in ("pt", "phi")]
    path = write_nanoaod(tmp_path / "b.root", events, without)
    expected = [rows_of(event, "PFMET")[0] for event in events]
    for met in ("PFMET", "auto"):
        objects = read_all(files_of(path, met=met, filter=None))[0]
        np.testing.assert_array_equal(objects[:, 0], np.array(expected, dtype=np.float32))

"""NanoAOD files, held against a loop over events and objects in plain Python."""

import itertools
import math
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from l1distill.core.errors import DataError, ToolError
from l1distill.tasks.anomaly.readers.nanoaod import plan
from l1distill.tasks.anomaly.readers.settings import NanoAodFiles
from tests.tasks.anomaly.readers.files import Event, Object, random_collisions, write_nanoaod


def _files(background: Path | str | Sequence[str], **more: Any) -> NanoAodFiles:
    paths = str(background) if isinstance(background, Path) else background
    return NanoAodFiles.model_validate({"reader": "nanoaod", "background": paths, **more})


def _read(files: NanoAodFiles) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Objects and numbers of the background's events, and how many each chunk looked at."""
    sample = plan(files)[0]
    chunks = [chunk for file in sample.files for chunk in sample.chunks(file)]
    return (
        np.concatenate([chunk.objects for chunk in chunks]),
        np.concatenate([chunk.number for chunk in chunks]),
        [chunk.read for chunk in chunks],
    )


def _expected(event: Event, met: str = "PuppiMET", identified: bool = True) -> list[list[float]]:
    """What the default selection makes of an event, from its definition."""

    def accepted(one: Object, pt_min: float, eta_max: float) -> bool:
        return one["pt"] > pt_min and abs(one["eta"]) < eta_max

    electrons = [one for one in event["Electron"] if accepted(one, 3.0, 2.5)]
    muons = [one for one in event["Muon"] if accepted(one, 3.0, 2.4)]
    if identified:
        electrons = [one for one in electrons if one["cutBased"] >= 2]
        muons = [one for one in muons if one["looseId"] and one["pfRelIso04_all"] < 0.25]
    jets = []
    for jet in event["Jet"]:
        near = False
        for lepton in electrons + muons:
            turn = abs(float(jet["phi"]) - float(lepton["phi"]))
            turn = min(turn, 2 * math.pi - turn)
            near |= math.hypot(float(jet["eta"]) - float(lepton["eta"]), turn) < 0.4
        if accepted(jet, 20.0, 4.0) and not near:
            jets.append(jet)
    rows = [[event[met][0]["pt"], 0.0, event[met][0]["phi"]]]
    for group, size in ((electrons, 4), (muons, 4), (jets, 10)):
        hardest = sorted(group, key=lambda one: -one["pt"])[:size]
        rows += [[one["pt"], one["eta"], one["phi"]] for one in hardest]
        rows += [[0.0, 0.0, 0.0]] * (size - len(hardest))
    return rows


def _passes(rows: list[list[float]]) -> bool:
    electrons, muons = rows[1:5], rows[5:9]
    return any(pt > 23 and abs(eta) < 3 for pt, eta, _ in electrons) or any(
        pt > 23 and abs(eta) < 2.1 for pt, eta, _ in muons
    )


@pytest.fixture(scope="module")
def collisions() -> list[Event]:
    return random_collisions(400, seed=7)


@pytest.fixture(scope="module")
def path(collisions: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nanoaod(tmp_path_factory.mktemp("nano") / "b.root", collisions)


@pytest.mark.parametrize("chunk", [37, 1000])
@pytest.mark.parametrize("container", ["tree", "rntuple"])
def test_events_are_those_of_a_plain_loop(
    tmp_path: Path, collisions: list[Event], chunk: int, container: str
) -> None:
    path = write_nanoaod(tmp_path / "b.root", collisions, container=container)
    expected = [_expected(event) for event in collisions]
    passing = [number for number, rows in enumerate(expected) if _passes(rows)]
    assert 40 < len(passing) < 360
    objects, number, read = _read(_files(path, chunk=chunk))
    assert number.tolist() == passing
    np.testing.assert_array_equal(objects, np.array(expected, dtype=np.float32)[passing])
    assert sum(read) == 400
    assert max(read) == min(chunk, 400)


def test_the_sample_has_what_the_selection_is_about(collisions: list[Event]) -> None:
    """Else the comparison above would show nothing."""
    kept = [_expected(event) for event in collisions]
    assert sum(rows[4][0] > 0 for rows in kept) > 5, "events with four electrons"
    assert sum(rows[18][0] > 0 for rows in kept) > 5, "events with ten jets"
    without_leptons = [_expected({**event, "Electron": [], "Muon": []}) for event in collisions]
    dropped = sum(a[9:] != b[9:] for a, b in zip(kept, without_leptons, strict=True))
    assert dropped > 50, "events with a jet on a lepton"
    pt = [[one["pt"] for one in event["Jet"]] for event in collisions]
    assert sum(one != sorted(one, reverse=True) for one in pt) > 100, "events with jets unsorted"


def test_without_a_filter_all_events_are_there(path: Path, collisions: list[Event]) -> None:
    objects, number, _ = _read(_files(path, filter=None))
    assert number.tolist() == list(range(400))
    np.testing.assert_array_equal(
        objects, np.array([_expected(event) for event in collisions], dtype=np.float32)
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
    files = _files(path, met=met, filter=None)
    expected = [_expected(event, used)[0] for event in collisions[:50]]
    np.testing.assert_array_equal(_read(files)[0][:, 0], np.array(expected, dtype=np.float32))
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
    assert _refusal(_files(path, met=met)).startswith(f"{path}: {says}")


def _refusal(files: NanoAodFiles) -> str:
    with pytest.raises(DataError) as refusal:
        _read(files)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize("branch", ["Electron_pt", "Muon_eta", "Jet_phi"])
def test_a_missing_branch_is_named(tmp_path: Path, collisions: list[Event], branch: str) -> None:
    path = write_nanoaod(tmp_path / "b.root", collisions[:5], [branch])
    assert _refusal(_files(path)).startswith(f"{path}: no branch {branch} in the tree Events; ")


IDENTIFICATION = ["Electron_cutBased", "Muon_looseId", "Muon_pfRelIso04_all"]


def test_identification_that_no_file_has_is_left_out_and_noted(
    tmp_path: Path, collisions: list[Event]
) -> None:
    path = write_nanoaod(tmp_path / "b.root", collisions, IDENTIFICATION)
    files = _files(path, filter=None)
    expected = [_expected(event, identified=False) for event in collisions]
    np.testing.assert_array_equal(_read(files)[0], np.array(expected, dtype=np.float32))
    for branch in IDENTIFICATION:
        note = f"Leptons were not identified by {branch}: the files have no such branch."
        assert note in plan(files)[0].notes


def test_identification_that_nobody_asks_for_is_left_out_and_noted(
    path: Path, collisions: list[Event]
) -> None:
    files = _files(
        path,
        filter=None,
        electron_cut_based_min=None,
        muon_loose_id=False,
        muon_isolation_max=None,
    )
    expected = [_expected(event, identified=False) for event in collisions]
    np.testing.assert_array_equal(_read(files)[0], np.array(expected, dtype=np.float32))
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
    refusal = _refusal(_files(path, signals={"x": str(signal)}))
    assert refusal.startswith(f"{signal}: no branch {branch}, which {path} has; ")
    assert refusal.endswith(way_out)


def test_several_files_and_globs(tmp_path: Path, collisions: list[Event]) -> None:
    for k in range(3):
        (tmp_path / f"day{k}").mkdir()
        write_nanoaod(tmp_path / f"day{k}" / "b.root", collisions[100 * k : 100 * (k + 1)])
    write_nanoaod(tmp_path / "last.root", collisions[300:])
    files = _files([str(tmp_path / "day*" / "*.root"), str(tmp_path / "last.root")])
    objects, number, _ = _read(files)
    passing = [rows for event in collisions if _passes(rows := _expected(event))]
    np.testing.assert_array_equal(objects, np.array(passing, dtype=np.float32))
    assert number.max() < 100, "events are numbered by file"


def test_the_limit_is_on_events_looked_at(path: Path, collisions: list[Event]) -> None:
    objects, number, read = _read(_files(path, limit=130, chunk=50))
    assert read == [50, 50, 30]
    assert number.max() < 130
    assert len(objects) == sum(_passes(_expected(event)) for event in collisions[:130])


def test_mev(tmp_path: Path, path: Path, collisions: list[Event]) -> None:
    in_mev = [
        {
            collection: [{**one, "pt": np.float32(1000) * one["pt"]} for one in objects]
            for collection, objects in event.items()
        }
        for event in collisions
    ]
    other = write_nanoaod(tmp_path / "b.root", in_mev)
    objects, number, _ = _read(_files(other, pt_unit="MeV"))
    expected, expected_number, _ = _read(_files(path))
    np.testing.assert_array_equal(number, expected_number)
    np.testing.assert_allclose(objects, expected, rtol=1e-6)
    assert _refusal(_files(other)).endswith("; set data.files.pt_unit=MeV")


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
    refusal = _refusal(_files(path, met="MET", chunk=100))
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
    assert "Muon_pt and Muon_eta differ in length in event 2" in _refusal(_files(path))


def test_a_branch_of_another_type_is_refused(tmp_path: Path) -> None:
    path = _write_branches(tmp_path / "b.root", Electron_pt=np.ones(4))
    assert _refusal(_files(path)).startswith(f"{path}: the branch Electron_pt holds no list of")
    path = _write_branches(tmp_path / "b.root", MET_phi=ak.Array([[1.0], [], [], []]))
    assert _refusal(_files(path)).startswith(f"{path}: the branch MET_phi holds no number")


def test_another_tree(tmp_path: Path, collisions: list[Event]) -> None:
    path = write_nanoaod(tmp_path / "b.root", collisions[:50], tree="Other")
    assert _refusal(_files(path)) == (f"{path}: no tree Events (found: Other); set data.files.tree")
    assert len(_read(_files(path, tree="Other", filter=None))[0]) == 50


def test_what_is_no_tree_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.root"
    with uproot.recreate(path) as file:
        file["Events"] = np.histogram([1.0, 2.0])
    assert "Events is no tree of events" in _refusal(_files(path))


def test_what_is_no_root_file_is_refused(tmp_path: Path, path: Path) -> None:
    other = tmp_path / "b.root"
    other.write_text("not a ROOT file " * 100)
    assert _refusal(_files(other)).startswith(f"{other}: cannot be read (not a ROOT file")
    other.write_bytes(b"")
    assert _refusal(_files(other)).startswith(f"{other}: cannot be read (")
    other.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    assert _refusal(_files(other)).startswith(f"{other}: cannot be read (")


def test_a_damaged_basket_is_refused(tmp_path: Path, path: Path) -> None:
    content = bytearray(path.read_bytes())
    with uproot.open({path: "Events"}) as tree:
        branch = tree["Jet_pt"]
        assert branch.num_baskets == 2
        at = branch.member("fBasketSeek")[1] + branch.basket_key(1).fKeylen
    content[at : at + 64] = bytes(64)
    other = tmp_path / "b.root"
    other.write_bytes(content)
    refusal = _refusal(_files(other))
    assert refusal.startswith(f"{other}: cannot be read (")


def test_memory_does_not_grow_with_the_file(tmp_path: Path, collisions: list[Event]) -> None:
    peaks = []
    for times in (2, 6):
        path = write_nanoaod(tmp_path / "b.root", collisions, times=times)
        (sample,) = plan(_files(path, chunk=400))
        tracemalloc.start()
        read = sum(chunk.read for file in sample.files for chunk in sample.chunks(file))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert read == 400 * times
    assert peaks[1] < 1.4 * peaks[0]


class _Ranges(SimpleHTTPRequestHandler):
    """Serves parts of files, which the handler of the standard library does not."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path.split("?")[0]))
        if path.is_dir():
            super().do_GET()
            return
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        first, last = 0, len(content) - 1
        if asked := self.headers.get("Range"):
            begin, _, end = asked.removeprefix("bytes=").partition("-")
            first, last = int(begin), min(int(end or last), last)
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(path: Path) -> Iterator[str]:
    """The folder of the file, over HTTP."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Ranges, directory=path.parent)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["b.root", "b.root?token=a/b", "*.root"])
def test_over_http(path: Path, url: str, name: str) -> None:
    files = _files(f"{url}/{name}", chunk=100)
    objects, number, _ = _read(files)
    expected, expected_number, _ = _read(_files(path))
    np.testing.assert_array_equal(objects, expected)
    np.testing.assert_array_equal(number, expected_number)
    (file,) = plan(files)[0].files
    assert file.path is None
    assert file.short_name == "b.root"


def test_what_is_not_there_over_http(url: str) -> None:
    assert _refusal(_files(f"{url}/none.root")) == (
        f"{url}/none.root: no such file; correct the path"
    )
    assert "matches no file" in _refusal(_files(f"{url}/none*.root"))
    unreachable = "http://127.0.0.1:9/b.root"
    assert _refusal(_files(unreachable)).startswith(f"{unreachable}: cannot be read (")


def test_a_protocol_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import fsspec

    def missing(_: str) -> None:
        raise ImportError("Install fsspec-xrootd to access xrootd storage system. Note: more")

    monkeypatch.setattr(fsspec.core, "get_filesystem_class", missing)
    with pytest.raises(ToolError) as refusal:
        _read(_files("root://host//store/b.root"))
    message = str(refusal.value)
    assert message.startswith("root://host//store/b.root: Install fsspec-xrootd to access xrootd")


def _write_empty(path: Path) -> Path:
    """Writes the file of a job that kept no event: none of the branches that are needed."""
    with uproot.recreate(path) as file:
        file.mktree("Events", {"run": "uint32"})
    return path


def test_files_without_events_are_skipped_counted_and_named(tmp_path: Path, path: Path) -> None:
    empty = _write_empty(tmp_path / "none.root")
    files = _files([str(empty), str(path)], signals={"x": [str(path), str(empty)]})
    background, signal = plan(files)
    np.testing.assert_array_equal(_read(files)[0], _read(_files(path))[0])
    skipped = "1 of 2 files hold no events and were skipped: none.root."
    assert background.skipped == [f"background: {skipped}"]
    assert signal.skipped == [f"x: {skipped}"]
    assert [file.name for file in signal.files] == [str(path)]
    assert _refusal(_files(empty)) == "data.files: no file holds events; give others"


def test_a_collection_may_be_absent_on_request(tmp_path: Path, collisions: list[Event]) -> None:
    columns = [f"Electron_{name}" for name in ("pt", "eta", "phi", "cutBased")]
    other = write_nanoaod(tmp_path / "b.root", collisions, columns)
    whole = write_nanoaod(tmp_path / "s.root", collisions)
    assert "data.files.absent_collections=[Electron]" in _refusal(_files(other))
    files = _files(other, signals={"x": str(whole)}, absent_collections=["Electron"], filter=None)
    expected = [_expected({**event, "Electron": []}) for event in collisions]
    for sample in plan(files):  # electrons in one sample alone would tell it from the other
        chunks = [chunk.objects for file in sample.files for chunk in sample.chunks(file)]
        np.testing.assert_array_equal(np.concatenate(chunks), np.array(expected, np.float32))
        assert any(note.startswith("No Electron: ") for note in sample.notes)
    partly = write_nanoaod(tmp_path / "p.root", collisions[:5], columns[:1])
    refusal = _refusal(_files(partly, absent_collections=["Electron"]))
    assert refusal == f"{partly}: no branch Electron_pt in the tree Events; give CMS NanoAOD files"


def test_met_of_version_15(tmp_path: Path, collisions: list[Event]) -> None:
    events = [{**event, "PFMET": event["MET"]} for event in collisions[:50]]
    without = [f"{met}_{name}" for met in ("MET", "PuppiMET") for name in ("pt", "phi")]
    path = write_nanoaod(tmp_path / "b.root", events, without)
    expected = [_expected(event, "PFMET")[0] for event in events]
    for met in ("PFMET", "auto"):
        objects = _read(_files(path, met=met, filter=None))[0]
        np.testing.assert_array_equal(objects[:, 0], np.array(expected, dtype=np.float32))

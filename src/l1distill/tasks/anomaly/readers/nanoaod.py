"""Read CMS NanoAOD files: identified leptons, jets beside them, missing transverse energy."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError
from l1distill.simulation.kinematics import delta_r_squared
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MUONS
from l1distill.tasks.anomaly.readers.checks import check_numbers, check_unit
from l1distill.tasks.anomaly.readers.sample import (
    Chunk,
    Sample,
    SourceFile,
    find_files,
    limited,
    readable,
)
from l1distill.tasks.anomaly.readers.settings import NanoAodFiles

_KINEMATICS = ("pt", "eta", "phi")
_COLLECTIONS = ("Electron", "Muon", "Jet")
_LISTS = [f"{collection}_{name}" for collection in _COLLECTIONS for name in _KINEMATICS]
_IDENTIFICATION = {
    "Electron_cutBased": "electron_cut_based_min",
    "Muon_looseId": "muon_loose_id",
    "Muon_pfRelIso04_all": "muon_isolation_max",
}
"""Branch that leptons are identified by, to the setting that asks for it."""
_OFF = (None, False)
_METS = ("PuppiMET", "MET")
_BRANCHES = [
    *_LISTS,
    *_IDENTIFICATION,
    *(f"{met}_{name}" for met in _METS for name in ("pt", "phi")),
]


@dataclass(frozen=True, kw_only=True)
class Header:
    """Number of events of a file and its branches.

    Attributes:
        events: entries of its tree.
        branches: those of its branches that are used here.
    """

    events: int
    branches: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How events are read and selected, the same for all files of an import.

    Attributes:
        files: the settings.
        met: prefix of the branches of MET.
        identification: the branches to identify leptons by.
    """

    files: NanoAodFiles
    met: str
    identification: tuple[str, ...]


def plan(files: NanoAodFiles) -> list[Sample]:
    """Plan the import from the headers of all files.

    Raises:
        DataError: a file is out of reach or lacks a branch.
    """
    paths_of = find_files(files)
    headers = {name: read_header(name, files.tree) for paths in paths_of.values() for name in paths}
    selection = choose(files, headers)
    recipe = files.model_dump(exclude={"background", "signals", "limit", "chunk"})
    recipe |= {"met": selection.met, "identification": selection.identification}
    return [
        Sample(
            name=sample,
            files=limited({path: headers[path].events for path in paths}, files.limit),
            chunks=partial(read, selection),
            recipe=recipe,
            notes=_notes(selection),
        )
        for sample, paths in paths_of.items()
    ]


def read_header(name: str, tree: str) -> Header:
    """Read how many events a file has and which of the branches that are used here.

    Raises:
        DataError: the file is out of reach, is no ROOT file, or has no such tree.
    """
    with _open(name, tree) as events, readable(name):
        branches = frozenset(branch for branch in _BRANCHES if branch in events)
        return Header(events=events.num_entries, branches=branches)


def choose(files: NanoAodFiles, headers: Mapping[str, Header]) -> Selection:
    """Choose the branches that all files are read and selected by.

    A sample that was selected by other branches than the rest would be told apart by that; so a
    branch counts as there only if every file has it.

    Args:
        files: the settings.
        headers: file to its header.

    Raises:
        DataError: a file lacks a branch that is needed, or that others have.
    """
    for name, header in headers.items():
        missing = [branch for branch in _LISTS if branch not in header.branches]
        if missing:
            raise DataError(
                f"{name}: no branch {missing[0]} in the tree {files.tree}; give CMS NanoAOD files"
            )
    mets = _METS if files.met == "auto" else (files.met,)
    another = "choose another data.files.met"
    met = next((met for met in mets if _in_all(headers, _branches_of(met), another)), None)
    if met is None:
        name, header = next(iter(headers.items()))
        candidates = [branch for met in mets for branch in _branches_of(met)]
        missing = [branch for branch in candidates if branch not in header.branches]
        raise DataError(f"{name}: no branch {' or '.join(missing)}; {another}")
    identification = [
        branch
        for branch, key in _IDENTIFICATION.items()
        if getattr(files, key) not in _OFF and _in_all(headers, [branch], f"set {_off(files, key)}")
    ]
    return Selection(files=files, met=met, identification=tuple(identification))


def _branches_of(met: str) -> list[str]:
    return [f"{met}_pt", f"{met}_phi"]


def _off(files: NanoAodFiles, key: str) -> str:
    return f"data.files.{key}={'false' if getattr(files, key) is True else 'null'}"


def _in_all(headers: Mapping[str, Header], branches: list[str], way_out: str) -> bool:
    """Return whether all files have these branches; False if none has.

    Raises:
        DataError: some have them.
    """
    lacking = {
        name: [branch for branch in branches if branch not in header.branches]
        for name, header in headers.items()
    }
    having = [name for name, missing in lacking.items() if not missing]
    if not having or len(having) == len(headers):
        return bool(having)
    name, missing = next((name, missing) for name, missing in lacking.items() if missing)
    raise DataError(
        f"{name}: no branch {missing[0]}, which {having[0]} has; samples must be selected alike: "
        f"{way_out}"
    )


def _notes(selection: Selection) -> list[str]:
    files = selection.files
    notes = [
        "The events come from CMS NanoAOD: offline objects, not those of the Level-1 trigger.",
        "The process of a background event is not known.",
        f"MET is {selection.met} of NanoAOD.",
    ]
    notes += [
        f"Leptons were not identified by {branch}: "
        + ("not asked for." if getattr(files, key) in _OFF else "the files have no such branch.")
        for branch, key in _IDENTIFICATION.items()
        if branch not in selection.identification
    ]
    if files.filter is None:
        notes.append("No lepton filter: events without a hard lepton are among them.")
    return notes


def read(selection: Selection, source: SourceFile) -> Iterator[Chunk]:
    """Yield the selected events of a file, out of ``files.chunk`` read at a time.

    Raises:
        DataError: the file is damaged or out of reach, or its numbers are not those of events.
    """
    import awkward as ak

    files = selection.files
    for first, arrays in _iterate(selection, source):
        number = np.arange(first, first + len(arrays))
        met = np.zeros((len(arrays), 1, 3), dtype=np.float32)
        met[:, 0, 0] = arrays[f"{selection.met}_pt"]
        met[:, 0, 2] = arrays[f"{selection.met}_phi"]
        check_numbers(source.name, number, met[..., 0], met[..., 1:])
        met[..., 0] *= files.gev
        collections = [
            _collection(source.name, number, arrays, selection, name) for name in _COLLECTIONS
        ]
        pt_sum = met[:, 0, 0] + sum(ak.to_numpy(ak.sum(each.pt, axis=1)) for each in collections)
        check_unit(source.name, pt_sum, files.pt_unit)
        electrons, muons, jets = _select(collections, selection)
        objects = np.concatenate(
            [met, _slots(electrons, ELECTRONS), _slots(muons, MUONS), _slots(jets, JETS)], axis=1
        )
        kept = _passes_filter(electrons, muons, files)
        yield Chunk(objects=objects[kept], number=number[kept], read=len(number))


def _collection(
    file: str, number: NDArray[np.int64], arrays: Any, selection: Selection, name: str
) -> Any:
    """Gather the objects of a collection in an awkward record array: pt [GeV], eta, phi [rad]."""
    import awkward as ak

    branches = [f"{name}_{column}" for column in _KINEMATICS]
    branches += [branch for branch in selection.identification if branch.startswith(f"{name}_")]
    counts = ak.to_numpy(ak.num(arrays[branches[0]]))
    for branch in branches[1:]:
        differs = ak.to_numpy(ak.num(arrays[branch])) != counts
        if differs.any():
            raise DataError(
                f"{file}: {branches[0]} and {branch} differ in length in event "
                f"{number[np.argmax(differs)]}; make the file again"
            )
    flat = [ak.to_numpy(ak.flatten(arrays[branch])) for branch in branches]
    check_numbers(file, np.repeat(number, counts), *flat)
    columns = {branch.removeprefix(f"{name}_"): arrays[branch] for branch in branches}
    return ak.zip(columns | {"pt": columns["pt"] * np.float32(selection.files.gev)})


def _select(collections: list[Any], selection: Selection) -> tuple[Any, Any, Any]:
    """Select identified leptons and the jets that are not near one of them."""
    import awkward as ak

    files = selection.files
    electrons, muons, jets = collections
    electrons = electrons[_accepted(electrons, files.lepton_pt_min, files.electron_eta_max)]
    muons = muons[_accepted(muons, files.lepton_pt_min, files.muon_eta_max)]
    if "Electron_cutBased" in selection.identification:
        electrons = electrons[electrons.cutBased >= files.electron_cut_based_min]
    if "Muon_looseId" in selection.identification:
        muons = muons[muons.looseId]
    if "Muon_pfRelIso04_all" in selection.identification:
        muons = muons[muons.pfRelIso04_all < files.muon_isolation_max]

    jets = jets[_accepted(jets, files.jet_pt_min, files.jet_eta_max)]
    eta, phi = (ak.concatenate([electrons[c], muons[c]], axis=1) for c in ("eta", "phi"))
    squared = delta_r_squared(
        jets.eta[:, :, None], jets.phi[:, :, None], eta[:, None, :], phi[:, None, :]
    )
    return electrons, muons, jets[~ak.any(squared < files.jet_lepton_radius**2, axis=2)]


def _accepted(objects: Any, pt_min: float, eta_max: float) -> Any:
    return (objects.pt > pt_min) & (abs(objects.eta) < eta_max)


def _passes_filter(electrons: Any, muons: Any, files: NanoAodFiles) -> NDArray[np.bool_]:
    """Return which events pass the lepton filter, (n,); all if there is none."""
    import awkward as ak

    settings = files.filter
    if settings is None:
        return np.ones(len(electrons), dtype=bool)
    electron = _accepted(electrons, settings.electron_pt_min, settings.electron_eta_max)
    muon = _accepted(muons, settings.muon_pt_min, settings.muon_eta_max)
    passes: NDArray[np.bool_] = ak.to_numpy(ak.any(electron, axis=1) | ak.any(muon, axis=1))
    return passes


def _slots(objects: Any, slots: slice) -> NDArray[np.float32]:
    """Fill slots with each event's hardest objects, (n, slots, 3); empty ones are zero."""
    import awkward as ak

    size = slots.stop - slots.start
    hardest = objects[ak.argsort(objects.pt, axis=1, ascending=False, stable=True)][:, :size]
    padded = [ak.fill_none(ak.pad_none(hardest[c], size), 0.0) for c in _KINEMATICS]
    return np.stack([ak.to_numpy(column) for column in padded], axis=2, dtype=np.float32)


def _iterate(selection: Selection, source: SourceFile) -> Iterator[tuple[int, Any]]:
    """Yield the number of the first event and the arrays of each chunk."""
    branches = [*_LISTS, *selection.identification, *_branches_of(selection.met)]
    with _open(source.name, selection.files.tree) as events:
        chunks = events.iterate(
            branches,
            step_size=selection.files.chunk,
            entry_stop=source.events,
            library="ak",
            report=True,
        )
        while True:
            with readable(source.name):
                arrays, report = next(chunks, (None, None))
            if report is None:
                return
            _check_shapes(source.name, arrays, branches)
            yield report.tree_entry_start, arrays


def _check_shapes(name: str, arrays: Any, branches: list[str]) -> None:
    for branch in branches:
        dimensions = 1 if branch.split("_")[0] in _METS else 2
        if arrays[branch].ndim != dimensions:
            content = "no list of numbers" if dimensions == 2 else "no number"
            raise DataError(
                f"{name}: the branch {branch} holds {content} per event, unlike NanoAOD; give CMS "
                "NanoAOD files"
            )


@contextmanager
def _open(name: str, tree: str) -> Iterator[Any]:
    """Open a file and find its tree."""
    import uproot  # type: ignore[import-untyped]

    with readable(name):
        # a dictionary keeps uproot from looking for the name of a tree behind a colon; without
        # its cache of arrays, memory does not grow with the file
        file = uproot.open({name: None}, array_cache=None)
    with file:
        with readable(name):
            names = file.keys(recursive=False, cycle=False)
            events = file[tree] if tree in names else None
        if events is None:
            there = ", ".join(names) or "nothing"
            raise DataError(f"{name}: no tree {tree} (found: {there}); set data.files.tree")
        # TTrees are what NanoAOD is made of, RNTuples what it will be
        if not isinstance(events, (uproot.TTree, uproot.behaviors.RNTuple.RNTuple)):
            raise DataError(f"{name}: {tree} is no tree of events; set data.files.tree")
        yield events

"""Read events of CMS NanoAOD files: identified leptons, jets beside them, missing energy."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError
from l1distill.simulation.kinematics import delta_r_squared
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MUONS
from l1distill.tasks.anomaly.readers.checks import check_numbers, check_unit
from l1distill.tasks.anomaly.readers.nanoaod_branches import (
    COLLECTIONS,
    KINEMATICS,
    METS,
    Selection,
    open_tree,
)
from l1distill.tasks.anomaly.readers.sample import Chunk, SourceFile, readable
from l1distill.tasks.anomaly.readers.settings import NanoAodFiles


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
            _collection(source.name, number, arrays, selection, name) for name in COLLECTIONS
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

    if name not in selection.collections:
        none = ak.unflatten(np.empty(0, dtype=np.float32), np.zeros(len(number), dtype=np.int64))
        return ak.zip(dict.fromkeys(KINEMATICS, none))
    branches = [f"{name}_{column}" for column in KINEMATICS]
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
    padded = [ak.fill_none(ak.pad_none(hardest[c], size), 0.0) for c in KINEMATICS]
    return np.stack([ak.to_numpy(column) for column in padded], axis=2, dtype=np.float32)


def _iterate(selection: Selection, source: SourceFile) -> Iterator[tuple[int, Any]]:
    """Yield the number of the first event and the arrays of each chunk."""
    branches = selection.branches
    with open_tree(source.name, selection.files.tree) as events:
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
        dimensions = 1 if branch.split("_")[0] in METS else 2
        if arrays[branch].ndim != dimensions:
            content = "no list of numbers" if dimensions == 2 else "no number"
            raise DataError(
                f"{name}: the branch {branch} holds {content} per event, unlike NanoAOD; give CMS "
                "NanoAOD files"
            )

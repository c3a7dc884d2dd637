"""Files of events with known content, in the formats of others."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import uproot

from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MUONS

Object = dict[str, float]
Event = dict[str, list[Object]]
"""electrons, muons and jets, each with pt, eta, phi and identification, and one met."""


def random_objects(events: int, seed: int = 0) -> np.ndarray:
    """Events as published: each group by falling pT, empty slots zero at its end."""
    rng = np.random.default_rng(seed)
    objects = np.zeros((events, 19, 3))
    objects[..., 0] = rng.uniform(20.0, 200.0, (events, 19))
    objects[..., 1] = rng.uniform(-2.0, 2.0, (events, 19))
    objects[..., 2] = rng.uniform(-3.1, 3.1, (events, 19))
    objects[:, 0, 1] = 0.0
    for group in (ELECTRONS, MUONS, JETS):
        size = group.stop - group.start
        pt = -np.sort(-objects[:, group, 0], axis=1)
        count = rng.integers(0, size + 1, events)
        pt[np.arange(size) >= count[:, None]] = 0.0
        objects[:, group, 0] = pt
    objects[objects[..., 0] == 0] = 0.0
    return objects


def write_public(
    path: Path,
    objects: np.ndarray,
    chunks: tuple[int, ...] | None = None,
    names: Sequence[str] = ("Pt", "Eta", "Phi", "Class"),
) -> Path:
    """Writes a file as the published ones: gzip, float64, with the column of classes."""
    particles = np.zeros((len(objects), 19, 4))
    particles[..., :3] = objects
    particles[..., 3] = [1] + 4 * [2] + 4 * [3] + 10 * [4]
    particles[..., 3] *= ~(particles[..., 0] == 0)
    with h5py.File(path, "w") as file:
        file.create_dataset("Particles", data=particles, compression="gzip", chunks=chunks or True)
        file["Particles_Names"] = np.array(names, dtype="S")
        file["Particles_Classes"] = np.array(
            ["MET_class_1", "Four_Ele_class_2", "Four_Mu_class_3", "Ten_Jet_class_4"], dtype="S"
        )
    return path


def random_collisions(events: int, seed: int = 0) -> list[Event]:
    """Events before any selection: unsorted, some outside the acceptance, jets on leptons."""
    rng = np.random.default_rng(seed)

    def some(most: int, softest: float, eta: float) -> list[Object]:
        return [
            {
                "pt": np.float32(softest + rng.exponential(20.0)),
                "eta": np.float32(rng.uniform(-eta, eta)),
                "phi": np.float32(rng.uniform(-np.pi, np.pi)),
            }
            for _ in range(rng.integers(0, most + 1))
        ]

    collisions = []
    for _ in range(events):
        electrons, muons, jets = some(6, 1.0, 3.0), some(6, 1.0, 3.0), some(14, 10.0, 4.7)
        for electron in electrons:
            electron["cutBased"] = int(rng.integers(0, 5))
        for muon in muons:
            muon["looseId"] = bool(rng.random() < 0.8)
            muon["pfRelIso04_all"] = np.float32(rng.exponential(0.2))
        for lepton in (*electrons, *muons):
            if rng.random() < 0.5:  # on either side of the circle where phi jumps
                jet = {
                    "pt": np.float32(lepton["pt"] * 1.1 + 15.0),
                    "eta": np.float32(lepton["eta"] + rng.uniform(-0.4, 0.4)),
                    "phi": np.float32((lepton["phi"] + rng.uniform(0, 0.4)) % (2 * np.pi) - 2e-7),
                }
                jet["phi"] = np.float32(jet["phi"] - 2 * np.pi if jet["phi"] > 3.14 else jet["phi"])
                jets.insert(int(rng.integers(0, len(jets) + 1)), jet)
        mets = {
            name: [{"pt": np.float32(rng.exponential(30.0)), "phi": np.float32(rng.uniform(-3, 3))}]
            for name in ("MET", "PuppiMET")
        }
        collisions.append({"Electron": electrons, "Muon": muons, "Jet": jets, **mets})
    return collisions


_TYPES: Mapping[str, Any] = {"cutBased": np.int32, "looseId": np.bool_}
_COLUMNS = {
    "Electron": ("pt", "eta", "phi", "cutBased"),
    "Muon": ("pt", "eta", "phi", "looseId", "pfRelIso04_all"),
    "Jet": ("pt", "eta", "phi"),
    "MET": ("pt", "phi"),
    "PuppiMET": ("pt", "phi"),
    "PFMET": ("pt", "phi"),
}


def write_nanoaod(
    path: Path,
    events: Sequence[Event],
    without: Sequence[str] = (),
    tree: str = "Events",
    container: str = "tree",
    times: int = 1,
) -> Path:
    """Writes a file with NanoAOD's branches, jagged where NanoAOD's are.

    Args:
        path: where to.
        events: what.
        without: branches to leave out.
        tree: name of the tree.
        container: ``tree`` (TTree) or ``rntuple`` (RNTuple).
        times: how many times the events are written.
    """
    content: dict[str, Any] = {"run": np.ones(len(events), np.uint32)}
    for prefix, columns in _COLUMNS.items():
        if prefix not in events[0]:
            continue
        fields = {}
        for column in columns:
            if f"{prefix}_{column}" in without:
                continue
            dtype = _TYPES.get(column, np.float32)
            flat = np.array([each[column] for event in events for each in event[prefix]], dtype)
            counts = [len(event[prefix]) for event in events]
            fields[column] = flat if "MET" in prefix else ak.unflatten(flat, counts)
        if "MET" in prefix:
            content.update({f"{prefix}_{column}": values for column, values in fields.items()})
        elif fields:
            content[prefix] = ak.zip(fields)
    if container == "rntuple":  # there is no counter to give branches a common prefix by
        for prefix in ("Electron", "Muon", "Jet"):
            if prefix in content:
                objects = content.pop(prefix)
                content |= {f"{prefix}_{field}": objects[field] for field in objects.fields}
    with uproot.recreate(path) as file:
        make = file.mktree if container == "tree" else file.mkrntuple
        writer = make(tree, {name: _type(values) for name, values in content.items()})
        half = len(events) // 2  # several baskets, as in a real file
        for part in times * (slice(None, half), slice(half, None)):
            writer.extend({name: values[part] for name, values in content.items()})
    return path


def _type(values: Any) -> Any:
    return values.dtype if isinstance(values, np.ndarray) else ak.type(values).content

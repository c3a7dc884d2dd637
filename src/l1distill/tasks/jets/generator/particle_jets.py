"""Jets of generator particles beside the reconstructed ones: what the energy scale is held to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.columns import DetectorObjects, FloatArray, IntArray
from l1distill.simulation.kinematics import delta_r_squared, pseudorapidity
from l1distill.simulation.ragged import rows_of_events
from l1distill.tasks.jets.generator.flow import Jets, find_jets, four_momenta
from l1distill.tasks.jets.generator.grooming import soft_drop

_NEUTRINOS = (12, 14, 16)
_NEAR = 0.3  # largest distance of jets that are the same
_PARTICLE_PT_MIN, _ETA_MAX = 100.0, 2.5  # of jets of particles: wider than what is compared
_PT_MIN = 1e-6  # [GeV]: beam remnants have no pseudorapidity


@dataclass(frozen=True, kw_only=True)
class ParticleJets:
    """Jets of stable particles, each with its soft-drop mass.

    Attributes:
        jets: not calibrated.
        softdrop_mass: (n,) [GeV].
    """

    jets: Jets
    softdrop_mass: FloatArray


def particle_jets(
    record: Any, radius: float, pt_min: float, eta_max: float, *, neutrinos: bool
) -> ParticleJets:
    """Cluster all stable particles of a batch, with the masses that they have.

    Args:
        record: what ``Pythia.nextBatch`` returns.
        radius: of the jets.
        pt_min: smallest pT [GeV].
        eta_max: largest abs(eta).
        neutrinos: whether neutrinos are clustered, too.
    """
    import awkward as ak

    particles = record.prt
    counts = ak.to_numpy(ak.num(particles.status))
    event = np.repeat(np.arange(len(counts)), counts)
    status, code = (ak.to_numpy(ak.flatten(particles[name])) for name in ("status", "id"))
    px, py, pz, energy = (
        ak.to_numpy(ak.flatten(particles.p[name])) for name in ("px", "py", "pz", "e")
    )
    pt = np.hypot(px, py)
    kept = (status > 0) & (pt > _PT_MIN)
    if not neutrinos:
        kept &= ~np.isin(np.abs(code), _NEUTRINOS)
    flow = DetectorObjects(
        event=event[kept],
        pt=pt[kept],
        eta=pseudorapidity(pt[kept], pz[kept]),
        phi=np.arctan2(py[kept], px[kept]),
    )
    jets = find_jets(flow, len(counts), radius, pt_min, eta_max, energy[kept])
    inside = four_momenta(flow.take(jets.rows), jets.counts, energy[kept][jets.rows])
    return ParticleJets(jets=jets, softdrop_mass=soft_drop(inside, jets, radius)["softdrop_mass"])


def nearest(jets: Jets, others: Jets) -> IntArray:
    """Return of each jet the nearest other of its event within 0.3, (n,); -1 where none is."""
    row, owner = rows_of_events(others.event, jets.event)
    squared = delta_r_squared(jets.eta[owner], jets.phi[owner], others.eta[row], others.phi[row])
    found = np.full(len(jets.event), -1)
    order = np.argsort(-squared, kind="stable")  # the nearest is written last
    near = order[squared[order] < _NEAR**2]
    found[owner[near]] = row[near]
    return found


COMPARED = ("pt", "particle_pt", "softdrop_mass", "visible_mass", "particle_mass")
"""Numbers of :func:`compare`: pT of the jet and of its particles without neutrinos; soft-drop mass
of the jet, of its particles without neutrinos, and of all its particles [GeV]."""


def compare(
    record: Any, jets: Jets, softdrop_mass: FloatArray, radius: float
) -> NDArray[np.float32]:
    """Set jets beside the jets of their particles.

    Args:
        record: what ``Pythia.nextBatch`` returns.
        jets: reconstructed in it.
        softdrop_mass: (n,) of them [GeV].
        radius: of the jets.

    Returns:
        (m, 5), :data:`COMPARED` of the jets that have both kinds of particle jets within 0.3.
    """
    visible, whole = (
        particle_jets(record, radius, _PARTICLE_PT_MIN, _ETA_MAX, neutrinos=with_neutrinos)
        for with_neutrinos in (False, True)
    )
    seen, all_ = nearest(jets, visible.jets), nearest(jets, whole.jets)
    both = (seen >= 0) & (all_ >= 0)
    seen, all_ = seen[both], all_[both]
    columns = (
        jets.pt[both],
        visible.jets.pt[seen],
        softdrop_mass[both],
        visible.softdrop_mass[seen],
        whole.softdrop_mass[all_],
    )
    compared: NDArray[np.float32] = np.stack(columns, axis=1).astype(np.float32)
    return compared

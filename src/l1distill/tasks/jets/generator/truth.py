"""Generator truth of jets: b quarks of the Higgs boson, b hadrons, and a veto before the shower."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from l1distill.simulation.columns import DetectorObjects, FloatArray, IntArray
from l1distill.simulation.kinematics import delta_r_squared, pseudorapidity
from l1distill.simulation.ragged import rows_of_events

_B_HADRONS = (511, 521, 531, 541, 5122, 5132, 5232, 5332)  # those that decay weakly
_HADRON_PT_MIN = 5.0  # [GeV]
_HIGGS = 25
_RESONANCE_PRODUCT = 23
_DR_MAX, _ETA_MAX = 1.2, 2.3


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a batch of collisions holds.

    Attributes:
        quarks: the b quarks of Higgs bosons, as the hard process made them.
        hadrons: weakly decaying b hadrons above 5 GeV.
    """

    quarks: DetectorObjects
    hadrons: DetectorObjects


def read_truth(record: Any) -> Truth:
    """Find b quarks and b hadrons in what ``Pythia.nextBatch`` returns."""
    import awkward as ak

    particles = record.prt
    counts = ak.to_numpy(ak.num(particles.id))
    event = np.repeat(np.arange(len(counts)), counts)
    code, status, mother = (
        ak.to_numpy(ak.flatten(particles[name])) for name in ("id", "status", "mother1")
    )
    parent = code[(np.cumsum(counts) - counts)[event] + mother]
    px, py, pz = (ak.to_numpy(ak.flatten(particles.p[name])) for name in ("px", "py", "pz"))
    quark = (np.abs(code) == 5) & (np.abs(status) == _RESONANCE_PRODUCT) & (parent == _HIGGS)
    hadron = np.isin(np.abs(code), _B_HADRONS) & (np.hypot(px, py) > _HADRON_PT_MIN)

    def objects(rows: Any) -> DetectorObjects:
        pt = np.hypot(px[rows], py[rows])
        return DetectorObjects(
            event=event[rows],
            pt=pt,
            eta=pseudorapidity(pt, pz[rows]),
            phi=np.arctan2(py[rows], px[rows]),
        )

    return Truth(quarks=objects(quark), hadrons=objects(hadron))


def count_within(
    event: IntArray, eta: FloatArray, phi: FloatArray, others: DetectorObjects, radius: float
) -> IntArray:
    """Count the objects within a distance of each axis, (n,).

    Args:
        event: (n,) of each axis.
        eta: (n,).
        phi: (n,) [rad].
        others: sorted by event.
        radius: largest distance in eta and phi.
    """
    row, owner = rows_of_events(others.event, event)
    squared = delta_r_squared(eta[owner], phi[owner], others.eta[row], others.phi[row])
    return np.bincount(owner[squared < radius**2], minlength=len(event))


def collimation_veto() -> Any:
    """Return the PYTHIA hook that drops Higgs bosons which give no jet with both b quarks."""
    import pythia8mc

    class CollimationVeto(pythia8mc.UserHooks):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.seen = 0

        def canVetoProcessLevel(self) -> bool:
            return True

        def doVetoProcessLevel(self, process: Any) -> bool:
            self.seen += 1
            quarks = []
            for index in range(3, process.size()):
                particle = process[index]
                if particle.id() == _HIGGS and abs(particle.eta()) > _ETA_MAX:
                    return True
                if particle.idAbs() == 5 and process[particle.mother1()].id() == _HIGGS:
                    quarks.append((particle.eta(), particle.phi()))
            (eta_1, phi_1), (eta_2, phi_2) = quarks
            return bool(delta_r_squared(eta_1, phi_1, eta_2, phi_2) > _DR_MAX**2)

    return CollimationVeto()

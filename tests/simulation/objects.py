"""Records of detector objects, written down row by row."""

import numpy as np

from l1distill.simulation.columns import DetectorObjects
from l1distill.simulation.leptons import Leptons


def flow(*rows: tuple[int, float, float, float]) -> DetectorObjects:
    """Objects from event, pT, eta and phi."""
    event, pt, eta, phi = np.array(rows, dtype=float).reshape(-1, 4).T
    return DetectorObjects(event=event.astype(np.int64), pt=pt, eta=eta, phi=phi)


def leptons(*rows: tuple[int, int, float, float, float]) -> Leptons:
    """Leptons from event, code, pT, eta and phi."""
    event, code, pt, eta, phi = np.array(rows, dtype=float).T
    return Leptons(
        event=event.astype(np.int64),
        code=code.astype(np.int64),
        pt=pt,
        eta=eta,
        phi=phi,
        cone_pt=np.zeros(len(rows)),
    )

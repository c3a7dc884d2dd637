"""The calorimeter's tower grid: rings in eta, each divided evenly in phi.

Edges follow the HCAL of the Delphes CMS card: 0.087 x 5 degrees up to |eta| 1.74, growing to
0.35 x 10 degrees at |eta| 5. Where the card's list has gaps or coarser rings at the very end
(20 degrees beyond 4.35), this grid stays at 10 degrees.
"""

import numpy as np

from l1distill.simulation.columns import FloatArray, IntArray

_BARREL = np.arange(21) * 0.087
_OUTER = (
    1.83, 1.93, 2.043, 2.172, 2.322, 2.5, 2.65, 2.868, 3.0, 3.125, 3.3, 3.475, 3.65, 3.825,
    4.0, 4.175, 4.35, 4.525, 4.7, 5.0,
)  # fmt: skip
_POSITIVE = np.concatenate([_BARREL, _OUTER])

ETA_EDGES: FloatArray = np.concatenate([-_POSITIVE[:0:-1], _POSITIVE])
N_RINGS = len(ETA_EDGES) - 1
_CENTERS = 0.5 * (ETA_EDGES[1:] + ETA_EDGES[:-1])
PHI_CELLS: IntArray = np.where(np.abs(_CENTERS) < 1.74, 72, 36).astype(np.int64)
_FIRST_CELL = np.concatenate([[0], np.cumsum(PHI_CELLS)])
N_CELLS = int(_FIRST_CELL[-1])
_RING_OF_CELL = np.repeat(np.arange(N_RINGS), PHI_CELLS)


def ring_of(eta: FloatArray) -> IntArray:
    """Find the ring of each eta; -1 or ``N_RINGS`` beyond the calorimeter.

    The rings are symmetric: ring r lies opposite ring ``N_RINGS - 1 - r``.
    """
    return np.searchsorted(ETA_EDGES, eta, side="right") - 1


def cell_of(ring: IntArray, phi: FloatArray) -> IntArray:
    """Find the cell of each position.

    Args:
        ring: Rings in [0, ``N_RINGS``).
        phi: Any angle [rad].
    """
    cells = PHI_CELLS[ring]
    inside = np.floor((phi / (2 * np.pi)) % 1.0 * cells).astype(np.int64)
    cell: IntArray = _FIRST_CELL[ring] + np.minimum(inside, cells - 1)
    return cell


def scatter(cell: IntArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw a position inside each cell, so that towers do not pile up at cell centers.

    Returns:
        eta and phi [rad], in [-pi, pi).
    """
    ring = _RING_OF_CELL[cell]
    low, high = ETA_EDGES[ring], ETA_EDGES[ring + 1]
    eta = low + (high - low) * rng.random(len(cell))
    turn = (cell - _FIRST_CELL[ring] + rng.random(len(cell))) / PHI_CELLS[ring]
    return eta, 2 * np.pi * ((turn + 0.5) % 1.0) - np.pi

"""How much pileup there is: the median energy density, ring by ring in eta.

The density is the median of pT per unit area over a grid of cells, as in FastJet's grid-median
estimator (Cacciari, Salam, Soyez, arXiv:1111.6097). The cells are grouped by |eta|: the tracker's
edge at 2.5 and the calorimeter's at 3.0 change what pileup leaves in the detector, and a density
averaged across them puts spikes into the jets' eta.
"""

from typing import NamedTuple

import numpy as np

from l1distill.simulation.detector import Towers
from l1distill.simulation.particles import FloatArray, IntArray

_GROUP_EDGES = np.array([0.0, 1.5, 2.5, 3.0, 4.0, 5.0])  # |eta|
_ETA_CELLS = (3, 2, 1, 2, 2)  # cells in |eta| of each group, on either side
_PHI_CELLS = 6

_EDGES = np.concatenate(
    [
        np.linspace(low, high, cells, endpoint=False)
        for low, high, cells in zip(_GROUP_EDGES[:-1], _GROUP_EDGES[1:], _ETA_CELLS, strict=True)
    ]
    + [_GROUP_EDGES[-1:]]
)
_GROUP_OF_STRIP = np.repeat(np.arange(len(_ETA_CELLS)), _ETA_CELLS)
_AREA = np.diff(_EDGES) * 2 * np.pi / _PHI_CELLS


class Density(NamedTuple):
    """Pileup density of each event.

    Attributes:
        values: (n_events, n_groups) pT per unit area in eta and phi [GeV], by |eta| group.
    """

    values: FloatArray


def measure_density(flow: Towers, n_events: int) -> Density:
    """Measures the density of each event as the median over cells, for each |eta| group.

    Args:
        flow: Tracks and clusters, charged pileup removed.
        n_events: Number of events in the batch.
    """
    strips = len(_AREA)
    strip = np.searchsorted(_EDGES, np.abs(flow.eta), side="right") - 1
    inside = strip < strips
    sector = np.floor((flow.phi / (2 * np.pi)) % 1.0 * _PHI_CELLS).astype(np.int64)
    sector = np.minimum(sector, _PHI_CELLS - 1) + _PHI_CELLS * (flow.eta > 0)
    cell = (flow.event * strips + strip) * 2 * _PHI_CELLS + sector
    summed = np.bincount(
        cell[inside], flow.pt[inside], minlength=n_events * strips * 2 * _PHI_CELLS
    ).reshape(n_events, strips, 2 * _PHI_CELLS)
    per_area = summed / _AREA[:, None]
    groups = [
        np.median(per_area[:, group == _GROUP_OF_STRIP].reshape(n_events, -1), axis=1)
        for group in range(len(_ETA_CELLS))
    ]
    return Density(np.stack(groups, axis=1))


def density_at(density: Density, event: IntArray, eta: FloatArray) -> FloatArray:
    """Looks up the density at a position.

    Args:
        density: Of all events.
        event: (n,) event of each object.
        eta: (n,) its pseudorapidity.

    Returns:
        (n,) pT per unit area [GeV].
    """
    group = np.searchsorted(_GROUP_EDGES, np.abs(eta), side="right") - 1
    found: FloatArray = density.values[event, np.minimum(group, len(_ETA_CELLS) - 1)]
    return found

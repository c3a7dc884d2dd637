"""Pileup density: the median of pT per unit area, ring by ring in eta.

The density is the median of pT per unit area over a grid of cells, as in FastJet's grid-median
estimator (Cacciari, Salam, Soyez, arXiv:1111.6097). The cells are grouped by |eta|: the tracker's
edge at 2.5 and the calorimeter's at 3.0 change what pileup leaves in the detector, and a density
averaged across them puts spikes into the jets' eta.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from l1distill.simulation.columns import BoolArray, DetectorObjects, FloatArray, IntArray

if TYPE_CHECKING:
    from typing import Self

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


@dataclass(frozen=True)
class PileupDensity:
    """Pileup density of each event.

    Attributes:
        values: (n_events, n_groups) pT per unit area in eta and phi [GeV], by |eta| group.
    """

    values: FloatArray

    def at(self, event: IntArray, eta: FloatArray) -> FloatArray:
        """Look up the density at positions.

        Args:
            event: (n,) event of each object.
            eta: (n,) its pseudorapidity.

        Returns:
            (n,) pT per unit area [GeV].
        """
        group = np.searchsorted(_GROUP_EDGES, np.abs(eta), side="right") - 1
        density: FloatArray = self.values[event, np.minimum(group, len(_ETA_CELLS) - 1)]
        return density

    def select_events(self, kept: BoolArray) -> "Self":
        """Keep some events.

        Args:
            kept: (n_events,) whether to keep the event.
        """
        return type(self)(self.values[kept])


def measure_density(flow: DetectorObjects, n_events: int) -> PileupDensity:
    """Measure the pileup density of each event as the median over cells, for each |eta| group.

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
    return PileupDensity(np.stack(groups, axis=1))

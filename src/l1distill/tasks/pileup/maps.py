"""Maps in eta and phi of the pT that weights leave, over that of the events without pileup."""

from collections.abc import Iterable, Mapping

import numpy as np

from l1distill.simulation.columns import DetectorObjects, FloatArray
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.weights import Weights

ETA_EDGES = np.linspace(-4.0, 4.0, 33)
PHI_EDGES = np.linspace(-np.pi, np.pi, 17)


def pt_ratio_maps(
    batches: Iterable[Events], methods: Mapping[str, Weights]
) -> dict[str, FloatArray]:
    """Compute the ratio in each cell, (32, 16) by method; NaN where nothing is without pileup.

    Source:
        Bal et al. 2024, figure 4.
    """
    shape = (len(ETA_EDGES) - 1, len(PHI_EDGES) - 1)
    left = {name: np.zeros(shape) for name in methods}
    alone = np.zeros(shape)
    for events in batches:
        alone += _map(events.without_pileup, np.ones(len(events.without_pileup.event)))
        for name, weights_of in methods.items():
            left[name] += _map(events.particles, weights_of(events))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: np.where(alone > 0, kept / alone, np.nan) for name, kept in left.items()}


def _map(objects: DetectorObjects, weights: FloatArray) -> FloatArray:
    phi = (objects.phi + np.pi) % (2 * np.pi) - np.pi
    edges = [ETA_EDGES.tolist(), PHI_EDGES.tolist()]
    found: FloatArray = np.histogram2d(objects.eta, phi, edges, weights=weights * objects.pt)[0]
    return found

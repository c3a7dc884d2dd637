"""Pileup per particle identification (PUPPI), for many events at once.

Source:
    Bertolini, Harris, Low, Tran, arXiv:1407.6013, section 2.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.simulation.columns import BoolArray, DetectorObjects, FloatArray, IntArray


class PuppiSettings(Settings):
    """Parameters of PUPPI; the defaults are those of the paper."""

    radius: float = Field(default=0.3, gt=0, le=2.0)
    """R_0: neighbors of a particle are within this distance in eta and phi."""
    radius_min: float = Field(default=0.02, ge=0)
    """R_min: and not nearer than this."""
    weight_min: float = Field(default=0.1, ge=0, le=1.0)
    """w_cut: smaller weights become 0."""
    central_eta: float = Field(default=4.0, ge=0)
    """Up to this abs(eta), tracks tell the hard collision's neighbors; beyond, all particles are
    neighbors."""
    central_pt_cut: tuple[float, float] = (0.1, 0.007)
    """Particles whose weighted pT is below A + B times the number of pileup collisions get no
    weight: A and B [GeV]."""
    forward_pt_cut: tuple[float, float] = (0.5, 0.011)
    """The same beyond ``central_eta`` [GeV]."""
    spread: Literal["left", "both"] = "left"
    """What the shape of pileup is measured with: root mean square from the median, of what is
    below it (``left``) or of all (``both``)."""
    vertex_window_mm: float = Field(default=1.0, gt=0)
    """Tracks nearer than this to the hard collision, along the beam, are taken to be its own
    [mm]."""


def neighbors(
    targets: DetectorObjects, sources: DetectorObjects, radius: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Find the pairs of objects of the same event within a distance in eta and phi.

    A k-d tree over all events: the time grows with n log n and the number of pairs.

    Args:
        targets: (n,) objects.
        sources: (m,) objects, their neighbors.
        radius: largest distance.

    Returns:
        Row of the target, row of the source and distance of each pair, in no order.
    """
    from scipy.spatial import cKDTree

    if not len(targets.event) or not len(sources.event):
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0)
    turn = 2 * np.pi

    def tree(objects: DetectorObjects) -> "cKDTree":
        phi = objects.phi % turn
        place = [objects.event * (4.0 * radius), objects.eta, np.where(phi < turn, phi, 0.0)]
        return cKDTree(np.stack(place, axis=1), boxsize=[0.0, 0.0, turn])

    pairs = tree(targets).sparse_distance_matrix(tree(sources), radius, output_type="ndarray")
    return pairs["i"], pairs["j"], pairs["v"]


def shape(
    targets: DetectorObjects, sources: DetectorObjects, settings: PuppiSettings
) -> FloatArray:
    """Compute alpha: the logarithm of the sum of pT / Delta R over neighbors (equation 2.1).

    Returns:
        (targets,) minus infinity for one without neighbors.
    """
    target, source, distance = neighbors(targets, sources, settings.radius)
    far = distance >= max(settings.radius_min, np.finfo(float).tiny)
    target, source, distance = target[far], source[far], distance[far]
    summed = np.bincount(target, sources.pt[source] / distance, minlength=len(targets.event))
    with np.errstate(divide="ignore"):
        alpha: FloatArray = np.log(summed)
    return alpha


def puppi_weights(
    particles: DetectorObjects,
    *,
    charged: BoolArray,
    from_vertex: BoolArray,
    pileup: NDArray[Any],
    settings: PuppiSettings,
) -> FloatArray:
    """Compute the PUPPI weight of each particle (equations 2.1 to 2.8).

    Charged particles get 1 if they are of the hard collision's vertex, else 0. Without a charged
    pileup particle that has neighbors, there is nothing that looks like pileup, and every weight
    is 1.

    Args:
        particles: of many events.
        charged: (n,) whether a particle has a track.
        from_vertex: (n,) whether that track is of the hard collision's vertex.
        pileup: (n_events,) pileup collisions, on which the pT thresholds depend.
        settings: Parameters.

    Returns:
        (n,) in [0, 1].
    """
    hard, other = charged & from_vertex, charged & ~from_vertex
    forward = np.abs(particles.eta) > settings.central_eta
    reference = other & ~forward
    weights = np.where(hard, 1.0, 0.0)
    regions = (
        (~charged & ~forward, hard, settings.central_pt_cut),
        (~charged & forward, np.ones_like(hard), settings.forward_pt_cut),
    )
    for region, source, (offset, slope) in regions:
        if not region.any():
            continue
        sources = particles.take(source)
        chosen, like_pileup = particles.take(region), particles.take(reference)
        median, spread = _median_and_spread(
            shape(like_pileup, sources, settings), like_pileup.event, len(pileup), settings.spread
        )
        weight = _weight(
            shape(chosen, sources, settings), median[chosen.event], spread[chosen.event]
        )
        cut = offset + slope * pileup[chosen.event]
        kept = (weight >= settings.weight_min) & (weight * chosen.pt >= cut)
        weights[region] = np.where(kept, weight, 0.0)
    return weights


def _weight(alpha: FloatArray, median: FloatArray, spread: FloatArray) -> FloatArray:
    """Return the cumulative chi-square distribution of alpha's distance from pileup."""
    from scipy.special import erf

    above = alpha > median
    distance = np.zeros(len(alpha))
    with np.errstate(divide="ignore"):
        distance[above] = (alpha - median)[above] / spread[above]
    # of one degree of freedom: F(x^2) = erf(x / sqrt(2))
    weight: FloatArray = np.where(np.isnan(median), 1.0, erf(distance / np.sqrt(2.0)))
    return weight


def _median_and_spread(
    alpha: FloatArray, event: IntArray, n_events: int, kind: str
) -> tuple[FloatArray, FloatArray]:
    """Measure alpha of charged pileup in each event, leaving out what has no neighbors.

    Returns:
        Median and spread, (n_events,) each; NaN for an event without any.
    """
    finite = np.isfinite(alpha)
    alpha, event = alpha[finite], event[finite]
    order = np.lexsort((alpha, event))
    alpha, event = alpha[order], event[order]
    counts = np.bincount(event, minlength=n_events)
    first = np.cumsum(counts) - counts
    median = np.full(n_events, np.nan)
    some = counts > 0
    low, high = first + (counts - 1) // 2, first + counts // 2
    median[some] = 0.5 * (alpha[low[some]] + alpha[high[some]])
    square = (alpha - median[event]) ** 2
    if kind == "left":
        left = alpha < median[event]
        square, event = square[left], event[left]
    summed = np.bincount(event, square, minlength=n_events)
    number = np.maximum(np.bincount(event, minlength=n_events), 1)
    return median, np.sqrt(summed / number)

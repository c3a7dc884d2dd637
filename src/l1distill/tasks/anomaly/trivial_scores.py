"""Trivial scores: what physicists and plain counting know of an event, without any network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.trivial import rank_score
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, LEPTONS, MUONS

Objects = NDArray[np.floating[Any]]
UNSEEN = 0.5
"""Training events that a combination of objects counts as that none of them has."""
_KINDS = (ELECTRONS, MUONS, JETS)
_MOST = tuple(1 + kind.stop - kind.start for kind in _KINDS)

NAMES = {
    "ht": "HT of the jets",
    "sum_pt": "sum of pT, with MET",
    "leptons": "number of leptons",
    "objects": "number of objects",
    "occupancy": "-log p(electrons, muons, jets)",
    "occupancy_ht": "ranks of the last and of HT, added",
}
"""The scores in words."""


def ht(objects: Objects) -> NDArray[np.float64]:
    """Return the scalar sum of the jets' pT [GeV] of events (n, 19, 3), (n,)."""
    total: NDArray[np.float64] = objects[:, JETS, 0].sum(axis=1, dtype=np.float64)
    return total


def leading_lepton_pt(objects: Objects) -> NDArray[np.float64]:
    """Return pT [GeV] of the leading electron or muon of events (n, 19, 3); 0 without one."""
    leading: NDArray[np.float64] = objects[:, LEPTONS, 0].max(axis=1).astype(np.float64)
    return leading


def trivial_scores(
    samples: Mapping[str, Objects], training: Objects
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Compute every score of :data:`NAMES`.

    Args:
        samples: name to events (n, 19, 3).
        training: (m, 19, 3) the background events that probabilities are counted on.

    Returns:
        Score to sample to (n,).
    """
    occupancy, ht_of_training = Occupancy(training), ht(training)
    occupancy_of_training = occupancy(training)
    by_sample: dict[str, dict[str, NDArray[np.float64]]] = {}
    for sample, objects in samples.items():
        score, energy = occupancy(objects), ht(objects)
        by_sample[sample] = {
            "ht": energy,
            "sum_pt": objects[:, :, 0].sum(axis=1, dtype=np.float64),
            "leptons": _count(objects, LEPTONS).astype(np.float64),
            "objects": _count(objects, slice(1, None)).astype(np.float64),
            "occupancy": score,
            "occupancy_ht": rank_score(score, occupancy_of_training)
            + rank_score(energy, ht_of_training),
        }
    return {name: {s: values[name] for s, values in by_sample.items()} for name in NAMES}


class Occupancy:
    """-log p(number of electrons, muons, jets), counted on background events."""

    def __init__(self, training: Objects) -> None:
        """Count the combinations of events (m, 19, 3); :data:`UNSEEN` for what none of them has."""
        counts = np.zeros(_MOST)
        np.add.at(counts, self._place(training), 1.0)
        self._score = -np.log(np.maximum(counts, UNSEEN) / len(training))

    def __call__(self, objects: Objects) -> NDArray[np.float64]:
        """Return the score of events (n, 19, 3), (n,)."""
        score: NDArray[np.float64] = self._score[self._place(objects)]
        return score

    @staticmethod
    def _place(objects: Objects) -> tuple[NDArray[np.int64], ...]:
        return tuple(_count(objects, kind) for kind in _KINDS)


def _count(objects: Objects, kind: slice) -> NDArray[np.int64]:
    count: NDArray[np.int64] = (objects[:, kind, 0] > 0).sum(axis=1)
    return count

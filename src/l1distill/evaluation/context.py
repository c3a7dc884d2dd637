"""What one score per event is judged beside: trivial scores, reference triggers, observables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = Mapping[str, NDArray[np.floating[Any]]]
"""Sample to the score of each of its evaluation items, (n,)."""
Decisions = Mapping[str, NDArray[np.bool_]]
"""Sample to whether a trigger takes each of its evaluation items, (n,)."""


@dataclass(frozen=True, kw_only=True)
class Observable:
    """A quantity of each event that an efficiency is shown against.

    Attributes:
        label: of the axis, with the unit.
        values: sample to (n,).
    """

    label: str
    values: Scores


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a sample appears in pictures.

    Attributes:
        label: may hold matplotlib's mathematics.
        color: as matplotlib takes it.
    """

    label: str
    color: str


@dataclass(frozen=True, kw_only=True)
class ScoreContext:
    """What a task knows about the evaluation items of its samples.

    Attributes:
        background: name of the sample that working points are counted on.
        input_rate_khz: rate at which events like the background reach the algorithm [kHz].
        trivial: name to scores that no network computes.
        triggers: name to the decisions of the reference triggers.
        observables: name to what efficiencies are shown against.
        looks: of each sample.
        efficiencies: shares of a signal, in percent, that the rate is told at which keeps them.
        groups: where one sample of the data set holds several classes, name of each class to that
            sample and to which of its evaluation items they are, (n,); all of the above is then by
            class. Empty: every sample is one.
    """

    background: str
    input_rate_khz: float
    trivial: Mapping[str, Scores] = field(default_factory=dict)
    triggers: Mapping[str, Decisions] = field(default_factory=dict)
    observables: Mapping[str, Observable] = field(default_factory=dict)
    looks: Mapping[str, Look] = field(default_factory=dict)
    efficiencies: tuple[int, ...] = ()
    groups: Mapping[str, tuple[str, NDArray[np.bool_]]] = field(default_factory=dict)

    def divide(self, scores: Scores) -> Scores:
        """Return scores by class, given those of the samples of the data set."""
        if not self.groups:
            return scores
        return {name: scores[sample][chosen] for name, (sample, chosen) in self.groups.items()}

    def taken(self, sample: str) -> NDArray[np.bool_] | None:
        """Return which events of a sample a reference trigger takes; None if there is none."""
        decisions = [by_sample[sample] for by_sample in self.triggers.values()]
        if not decisions:
            return None
        taken: NDArray[np.bool_] = np.logical_or.reduce(decisions)
        return taken

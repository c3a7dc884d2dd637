"""What the training split says of each number of a jet: the scale and range of inputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.settings import Constants
from l1distill.tasks.jets.features import Layout

STATISTICS = "jet_numbers.json"
CLASSES = ("qcd", "h_bb")
"""Names of background and signal in data that are generated."""
_QUANTILE = 0.999


class Statistics(Constants):
    """Names and spread of the numbers of a jet over the training split."""

    features: list[str]
    """Names of the features."""
    constituent: list[str]
    """Names of the numbers of each constituent; empty where there are none."""
    constituents: int
    """Constituents of a jet."""
    classes: tuple[str, str]
    """Names of background and signal."""
    mean: list[float]
    """Of each."""
    std: list[float]
    """Standard deviation of each; 1 for one that is always the same."""
    largest: list[float]
    """Magnitude that one jet in a thousand is beyond."""
    signed: list[bool]
    """Whether it is negative in a jet."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all numbers, in their order."""
        return Layout(
            features=tuple(self.features),
            constituent=tuple(self.constituent),
            constituents=self.constituents,
        ).names

    @classmethod
    def fit(
        cls, jets: NDArray[Any], layout: Layout, classes: tuple[str, str] = CLASSES
    ) -> "Statistics":
        """Measure jets (n, numbers) of the training split."""
        std = jets.std(axis=0, dtype=np.float64)
        return cls(
            features=list(layout.features),
            constituent=list(layout.constituent),
            constituents=layout.constituents,
            classes=classes,
            mean=jets.mean(axis=0, dtype=np.float64).tolist(),
            std=np.where(std > 0, std, 1.0).tolist(),
            largest=np.quantile(np.abs(jets), _QUANTILE, axis=0).astype(float).tolist(),
            signed=(jets < 0).any(axis=0).tolist(),
        )

    def standardize(self, jets: Any) -> Any:
        """Center and scale jets (n, numbers), of NumPy or TensorFlow."""
        return (jets - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)

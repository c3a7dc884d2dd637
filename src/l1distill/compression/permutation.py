"""Permutation importance of input features, to compare what is trained with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ITEMS = 10_000
"""Items that it is measured on, at most."""
REPEATS = 5
"""Times that each feature is shuffled."""


Losses = Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.floating[Any]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """What a network is judged by while it is trained.

    Attributes:
        features: (n, features) inputs of the validation split.
        judge: returns what makes of features (m, features), and the numbers of their items (m,),
            the loss of each, by the network as it is then.
    """

    features: NDArray[np.float32]
    judge: Callable[[], Losses]

    def importance(self, seed: int) -> NDArray[np.float64]:
        """Return by how much the mean loss rises where a feature is shuffled, (features,).

        Args:
            seed: of the shuffling.

        Source:
            Breiman, Machine Learning 45 (2001) 5; computed by scikit-learn.
        """
        from sklearn.inspection import permutation_importance

        losses = self.judge()
        items = np.arange(min(len(self.features), ITEMS))

        def score(_: Any, features: NDArray[np.float32], of: NDArray[np.int64]) -> float:
            return -float(np.mean(losses(features.astype(np.float32), of)))

        found = permutation_importance(
            _Trained(), self.features[items], items, scoring=score, n_repeats=REPEATS,
            random_state=seed % 2**32,
        )  # fmt: skip
        importance: NDArray[np.float64] = found.importances_mean
        return importance


class _Trained:
    """What scikit-learn asks for: something that could be fitted."""

    def fit(self, features: Any, targets: Any) -> "_Trained":
        return self

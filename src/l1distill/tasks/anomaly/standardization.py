"""Standardization of pT: mean and standard deviation of each slot over the training split."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.settings import Constants

if TYPE_CHECKING:
    from typing import Self

STANDARDIZATION = "standardization.json"
"""The file that travels from the data set to the teacher, the student and the firmware."""

_BLOCK = 65_536  # events summed at once: 10 MB of scratch memory


class Standardization(Constants):
    """Mean and standard deviation of each slot's pT [GeV] over the training split.

    Absent objects count as pT = 0, as in Govorkova et al. (section III, "standardized pT as a
    target"): a slot that is seldom filled has a small deviation, so an object in it stands out.
    """

    pt_mean: list[float]
    pt_std: list[float]

    @classmethod
    def fit(cls, objects: NDArray[np.floating[Any]]) -> "Self":
        """Compute the constants, a block of events at a time.

        Args:
            objects: (n, 19, 3) pT [GeV], eta, phi of the training split.

        Raises:
            ValueError: there are no events.
        """
        if len(objects) == 0:
            raise ValueError("no events to measure the standardization from")
        mean = _sum(objects, 0.0, 1) / len(objects)
        # the second pass keeps the digits that E[x^2] - E[x]^2 would lose
        std = np.sqrt(_sum(objects, mean, 2) / len(objects))
        # A slot that no training event fills has no spread to divide by.
        std[std == 0.0] = 1.0
        return cls(pt_mean=mean.tolist(), pt_std=std.tolist())


def _sum(
    objects: NDArray[np.floating[Any]], center: NDArray[np.float64] | float, power: int
) -> NDArray[np.float64]:
    """Sum a power of the slots' distance to a center, (19,), in double precision."""
    total = np.zeros(objects.shape[1])
    for start in range(0, len(objects), _BLOCK):
        pt = objects[start : start + _BLOCK, :, 0].astype(np.float64)
        total += ((pt - center) ** power).sum(axis=0)
    return total

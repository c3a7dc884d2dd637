"""From raw objects to what a teacher reconstructs and what a student reads.

Both are fixed by the training split alone and travel with the model as JSON.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.settings import Settings

if TYPE_CHECKING:
    from typing import Self

N_INPUTS = 57
PT, ETA, PHI = 0, 1, 2


class Standardisation(Settings):
    """Mean and standard deviation of each slot's pT [GeV] over the training split.

    Absent objects count as pT = 0, as in Govorkova et al. (section III, "standardized pT as a
    target"): a slot that is seldom filled has a small deviation, so an object in it stands out.
    """

    pt_mean: list[float]
    pt_std: list[float]

    @classmethod
    def fit(cls, objects: NDArray[np.floating[Any]]) -> "Self":
        """Measures the constants.

        Args:
            objects: (n, 19, 3) pT [GeV], eta, phi of the training split.

        Raises:
            ValueError: there are no events.
        """
        if len(objects) == 0:
            raise ValueError("no events to measure the standardisation from")
        pt = objects[:, :, PT].astype(np.float64)
        std = pt.std(axis=0)
        # A slot that no training event fills has no spread to divide by.
        std[std == 0.0] = 1.0
        return cls(pt_mean=pt.mean(axis=0).tolist(), pt_std=std.tolist())

    def target(self, objects: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Returns what the autoencoder has to reconstruct.

        Args:
            objects: (n, 19, 3) pT [GeV], eta, phi; absent objects are zero.

        Returns:
            (n, 19, 4): standardised pT, eta, phi, and 1 where there is an object, 0 elsewhere.
        """
        present = objects[:, :, PT] > 0
        target = np.empty((*objects.shape[:2], 4), np.float32)
        target[..., PT] = (objects[..., PT] - np.asarray(self.pt_mean)) / np.asarray(self.pt_std)
        target[..., 1:3] = objects[..., 1:]
        target[..., 3] = 1.0
        target *= present[..., None]
        return target


class InputScaling(Settings):
    """How raw objects become the student's 57 inputs, all of order one.

    The scales are powers of two: in firmware they only move the binary point.
    """

    pt_unit_gev: float = 64.0
    """The pT that becomes 1; a power of two."""

    @classmethod
    def read(cls, path: Path | str) -> "Self":
        """Reads the scaling that stands beside a student.

        Raises:
            OSError: the file cannot be read.
            ValueError: it holds something else.
        """
        return cls.model_validate(json.loads(Path(path).read_text(encoding="utf-8")))

    def apply(self, objects: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Scales and flattens.

        Args:
            objects: (n, 19, 3) pT [GeV], eta, phi.

        Returns:
            (n, 57): slot by slot, pT / ``pt_unit_gev``, eta, phi; not yet quantised.

        Raises:
            ValueError: the shape is another.
        """
        if objects.ndim != 3 or objects.shape[1:] != (19, 3):
            raise ValueError(f"events must have the shape (n, 19, 3), not {objects.shape}")
        scale = np.array([1.0 / self.pt_unit_gev, 1.0, 1.0], np.float32)
        return np.ascontiguousarray((objects.astype(np.float32) * scale).reshape(-1, N_INPUTS))

"""From raw objects to what a student reads, fixed by the training split alone."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from l1distill.core.settings import Constants, Settings
from l1distill.tasks.anomaly.events import N_OBJECTS
from l1distill.tasks.anomaly.standardization import Standardization

if TYPE_CHECKING:
    from typing import Self

N_INPUTS = 3 * N_OBJECTS
PT = 0


class InputSettings(Settings):
    """TimeLimit on the unit of pT [GeV] that a slot may have in a student's inputs."""

    pt_unit_min_gev: float = Field(gt=0)
    """Keeps the resolution of a slot that is seldom filled from becoming absurdly fine."""
    pt_unit_max_gev: float = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> "Self":
        if self.pt_unit_min_gev > self.pt_unit_max_gev:
            raise ValueError("pt_unit_min_gev must not be above pt_unit_max_gev")
        return self


class InputScaling(Constants):
    """How raw objects become the student's 57 inputs, all of order one.

    The units are powers of two: in firmware they only move the binary point.
    """

    pt_unit_gev: list[float] = Field(min_length=N_OBJECTS, max_length=N_OBJECTS)
    """The pT that becomes 1, slot by slot."""

    @classmethod
    def fit(cls, standardization: Standardization, settings: InputSettings) -> "Self":
        """Chooses the power of two nearest to each slot's deviation over the training split.

        A slot that is seldom filled then speaks to the student as loudly as it does to the
        teacher, whose target is standardized.
        """
        nearest = 2.0 ** np.round(np.log2(standardization.pt_std))
        units = np.clip(nearest, settings.pt_unit_min_gev, settings.pt_unit_max_gev)
        return cls(pt_unit_gev=units.tolist())

    def apply(self, objects: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Scales and flattens.

        Args:
            objects: (n, 19, 3) pT [GeV], eta, phi.

        Returns:
            (n, 57): slot by slot, pT in the slot's unit, eta, phi; not yet quantized.

        Raises:
            ValueError: the shape is another.
        """
        if objects.ndim != 3 or objects.shape[1:] != (N_OBJECTS, 3):
            raise ValueError(f"events must have the shape (n, 19, 3), not {objects.shape}")
        scaled = objects.astype(np.float32)
        scaled[..., PT] /= np.asarray(self.pt_unit_gev, np.float32)
        return scaled.reshape(-1, N_INPUTS)

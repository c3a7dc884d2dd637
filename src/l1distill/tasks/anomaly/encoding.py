"""The student's inputs: pT of each slot in units of a power of two, eta and phi as they are."""

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from l1distill.data.encoding import Feature, InputEncoding
from l1distill.tasks.anomaly.events import N_OBJECTS
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.tasks.base import EncodingSettings

if TYPE_CHECKING:
    from typing import Self

SLOTS = (
    "MET",
    *(f"electron {number}" for number in range(1, 5)),
    *(f"muon {number}" for number in range(1, 5)),
    *(f"jet {number}" for number in range(1, 11)),
)
"""What stands in each slot of an event."""


class InputSettings(EncodingSettings):
    """Bounds on the unit of pT that a slot may have in a student's inputs."""

    pt_unit_min_gev: float = Field(default=2.0, gt=0)
    """Smallest unit [GeV]; keeps a slot that is seldom filled from an absurdly fine resolution."""
    pt_unit_max_gev: float = Field(default=64.0, gt=0)
    """Largest unit [GeV]."""

    @model_validator(mode="after")
    def _in_order(self) -> "Self":
        if self.pt_unit_min_gev > self.pt_unit_max_gev:
            raise ValueError("pt_unit_min_gev must not be above pt_unit_max_gev")
        return self


def fit_encoding(standardization: Standardization, settings: InputSettings) -> InputEncoding:
    """Choose the power of two nearest to each slot's deviation over the training split.

    A slot that is seldom filled then speaks to the student as loudly as it does to the teacher,
    whose target is standardized.

    Args:
        standardization: of the training split.
        settings: bounds on the units.

    Returns:
        From events (n, 19, 3) to (n, 57) features of order one: slot by slot pT, eta, phi.
    """
    nearest = 2.0 ** np.round(np.log2(standardization.pt_std))
    units = np.clip(nearest, settings.pt_unit_min_gev, settings.pt_unit_max_gev)
    features: list[Feature] = []
    for slot, unit in zip(SLOTS, units.tolist(), strict=True):
        features += (
            Feature(name=f"pT of {slot}", unit="GeV", scale=unit),
            Feature(name=f"eta of {slot}"),
            Feature(name=f"phi of {slot}", unit="rad"),
        )
    return InputEncoding(shape=[N_OBJECTS, 3], features=features)

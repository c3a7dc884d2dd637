"""The student's inputs: pT of each slot in units of a power of two, eta and phi as they are."""

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from l1distill.data.encoding import Feature, InputEncoding
from l1distill.tasks.anomaly.events import N_OBJECTS
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.tasks.settings import EncodingSettings

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
    """Unit (normalization) and range of a student's inputs, which know nothing of each other.

    The unit decides how loudly a slot speaks while the student learns, the range what its input
    port can hold.
    """

    pt_unit_min_gev: float = Field(default=2.0, gt=0)
    """Smallest unit [GeV]; keeps a slot that is seldom filled from an absurdly fine resolution."""
    pt_unit_max_gev: float = Field(default=64.0, gt=0)
    """Largest unit [GeV]."""
    pt_range_gev: float | None = Field(default=512.0, gt=0)
    """pT up to which an input holds it [GeV], at least; what is above is cut off. null: as many
    units as ``student.input_integer`` says."""
    angle_range: float | None = Field(default=8.0, gt=0)
    """The same of eta and phi [rad]."""

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
        settings: bounds on the units, and ranges.

    Returns:
        From events (n, 19, 3) to (n, 57) features of order one: slot by slot pT, eta, phi.
    """
    nearest = 2.0 ** np.round(np.log2(standardization.pt_std))
    units = np.clip(nearest, settings.pt_unit_min_gev, settings.pt_unit_max_gev)
    features: list[Feature] = []
    for slot, unit in zip(SLOTS, units.tolist(), strict=True):
        features += (
            Feature(
                name=f"pT of {slot}",
                unit="GeV",
                scale=unit,
                range=_range(settings.pt_range_gev, unit),
                signed=settings.pt_range_gev is None,
            ),
            Feature(name=f"eta of {slot}", range=_range(settings.angle_range, 1.0)),
            Feature(name=f"phi of {slot}", unit="rad", range=_range(settings.angle_range, 1.0)),
        )
    return InputEncoding(shape=[N_OBJECTS, 3], features=features)


def _range(least: float | None, unit: float) -> float | None:
    """Return the smallest range of a power of two of units that is not below another."""
    if least is None:
        return None
    return float(unit * 2.0 ** math.ceil(math.log2(least / unit)))

"""From raw objects to what a teacher reconstructs and what a student reads.

Both are fixed by the training split alone and travel with the model as JSON.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from l1distill.data.events import N_OBJECTS
from l1distill.errors import InputError
from l1distill.settings import Settings

if TYPE_CHECKING:
    from typing import Self

N_INPUTS = 3 * N_OBJECTS
PT, ETA, PHI = 0, 1, 2
R = TypeVar("R", bound=Settings)


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

    @classmethod
    def read(cls, path: Path | str) -> "Self":
        """Reads the constants that stand beside a teacher.

        Raises:
            InputError: the file is missing or holds something else.
        """
        return _read(cls, Path(path))

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


class InputSettings(Settings):
    """Bounds on the unit of pT [GeV] that a slot may have in a student's inputs."""

    pt_unit_min_gev: float = Field(gt=0)
    """Keeps the resolution of a slot that is seldom filled from becoming absurdly fine."""
    pt_unit_max_gev: float = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> "Self":
        if self.pt_unit_min_gev > self.pt_unit_max_gev:
            raise ValueError("pt_unit_min_gev must not be above pt_unit_max_gev")
        return self


class InputScaling(Settings):
    """How raw objects become the student's 57 inputs, all of order one.

    The units are powers of two: in firmware they only move the binary point.
    """

    pt_unit_gev: list[float] = Field(min_length=N_OBJECTS, max_length=N_OBJECTS)
    """The pT that becomes 1, slot by slot."""

    @classmethod
    def fit(cls, standardisation: Standardisation, settings: InputSettings) -> "Self":
        """Chooses the power of two nearest to each slot's deviation over the training split.

        A slot that is seldom filled then speaks to the student as loudly as it does to the
        teacher, whose target is standardised.
        """
        nearest = 2.0 ** np.round(np.log2(standardisation.pt_std))
        units = np.clip(nearest, settings.pt_unit_min_gev, settings.pt_unit_max_gev)
        return cls(pt_unit_gev=units.tolist())

    @classmethod
    def read(cls, path: Path | str) -> "Self":
        """Reads the scaling that stands beside a student.

        Raises:
            InputError: the file is missing or holds something else.
        """
        return _read(cls, Path(path))

    def apply(self, objects: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Scales and flattens.

        Args:
            objects: (n, 19, 3) pT [GeV], eta, phi.

        Returns:
            (n, 57): slot by slot, pT in the slot's unit, eta, phi; not yet quantised.

        Raises:
            ValueError: the shape is another.
        """
        if objects.ndim != 3 or objects.shape[1:] != (N_OBJECTS, 3):
            raise ValueError(f"events must have the shape (n, 19, 3), not {objects.shape}")
        scaled = objects.astype(np.float32)
        scaled[..., PT] /= np.asarray(self.pt_unit_gev, np.float32)
        return scaled.reshape(-1, N_INPUTS)


def _read(kind: type[R], path: Path) -> R:
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be used ({reason}); train the model again") from None

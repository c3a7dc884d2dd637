"""Reference: what a student saw and answered when it was promoted, for later comparison."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from l1distill.core.errors import DataError
from l1distill.core.settings import Settings
from l1distill.core.workspace import write_arrays
from l1distill.evaluation.working_points import highest_refused

REFERENCE = "reference.npz"
"""File of a promotion's output and run."""


class ReferenceSettings(Settings):
    """What is recorded of a student's inputs and scores for ``l1distill monitor``."""

    events: int = Field(default=10_000, ge=1)
    """Events of the training sample's test split that are kept, the first of them."""
    false_positive_rate: float = Field(default=0.01, gt=0, lt=1)
    """Share of them that pass at the working point of the trigger; it sets the threshold."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Inputs and scores of the firmware on events like those that it was trained on.

    Attributes:
        dataset_md5: the data set that they are of.
        features: names of the inputs, with their unit in square brackets.
        inputs: (n, features) raw inputs, before they are scaled.
        scores: (n, outputs) of the emulator.
        threshold: events of a higher score pass at the working point; None of several outputs.
    """

    dataset_md5: str
    features: tuple[str, ...]
    inputs: NDArray[np.float32]
    scores: NDArray[np.float64]
    threshold: float | None

    def write(self, path: Path) -> None:
        """Write it as ``.npz``, the same bytes for the same content."""
        threshold = math.nan if self.threshold is None else self.threshold
        arrays: dict[str, Any] = {
            "dataset_md5": np.asarray(self.dataset_md5),
            "features": np.asarray(self.features),
            "inputs": self.inputs,
            "scores": self.scores,
            "threshold": np.asarray(threshold),
        }
        write_arrays(path, arrays)

    @classmethod
    def read(cls, path: Path) -> "Reference":
        """Read what :meth:`write` wrote.

        Raises:
            DataError: the file is missing, damaged or holds something else.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                threshold = float(file["threshold"])
                return cls(
                    dataset_md5=str(file["dataset_md5"]),
                    features=tuple(map(str, file["features"])),
                    inputs=file["inputs"],
                    scores=file["scores"],
                    threshold=None if math.isnan(threshold) else threshold,
                )
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise DataError(
                f"{path}: is no reference ({error}); promote the student again"
            ) from error


def threshold_of(scores: NDArray[np.floating[Any]], false_positive_rate: float) -> float | None:
    """Return the smallest threshold that at most this share of events exceeds.

    Args:
        scores: (n, outputs); a trigger has one output, and for several there is no threshold.
        false_positive_rate: share of the events.
    """
    if scores.shape[1] != 1 or len(scores) == 0:
        return None
    return float(highest_refused(np.sort(scores[:, 0]), false_positive_rate))

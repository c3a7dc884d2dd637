"""Inputs that are cut off: which share of each is beyond the range of a student's input."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.workspace import write_text

LEAST = 20
"""Numbers that an input needs in a sample for its share to count in a maximum."""
_HEADER = "sample,input,present,saturated"


@dataclass(frozen=True, kw_only=True)
class Saturation:
    """How often an input is cut in a sample.

    Attributes:
        sample: name of the sample.
        feature: name of the input.
        present: items in which it is there: not 0.
        cut: those of them that are beyond the range of the input.
    """

    sample: str
    feature: str
    present: int
    cut: int

    @property
    def share(self) -> float:
        """Share of what is there that is cut; 0 where nothing is there."""
        return self.cut / self.present if self.present else 0.0


def measure_saturation(
    sample: str,
    names: Sequence[str],
    features: NDArray[np.floating[Any]],
    low: NDArray[np.floating[Any]],
    high: NDArray[np.floating[Any]],
) -> list[Saturation]:
    """Count what is beyond the range of each input, as it is before it is quantized.

    Args:
        sample: name of the sample.
        names: of the features.
        features: (n, features) of its items.
        low: (features,) the smallest number that each input holds.
        high: (features,) the largest.
    """
    present = np.count_nonzero(features, axis=0)
    cut = np.count_nonzero((features < low) | (features > high), axis=0)
    return [
        Saturation(sample=sample, feature=name, present=int(there), cut=int(beyond))
        for name, there, beyond in zip(names, present, cut, strict=True)
    ]


def saturation_metrics(rows: Iterable[Saturation]) -> dict[str, float]:
    """Return ``saturated/<sample>`` and ``saturated_max``.

    The first is the share of all numbers of a sample that are there; the second the largest share
    of an input in a sample, of those that are there at least :data:`LEAST` times.
    """
    rows = list(rows)
    totals: dict[str, list[int]] = {}
    for row in rows:
        total = totals.setdefault(row.sample, [0, 0])
        total[0] += row.cut
        total[1] += row.present
    shares = {f"saturated/{sample}": cut / max(there, 1) for sample, (cut, there) in totals.items()}
    largest = max((row.share for row in rows if row.present >= LEAST), default=0.0)
    return {**shares, "saturated_max": largest}


def write_saturation(rows: Iterable[Saturation], path: Path) -> None:
    """Write a table as CSV: sample, input, present, saturated."""
    lines = [f"{row.sample},{row.feature},{row.present},{row.cut}" for row in rows]
    write_text(path, "\n".join([_HEADER, *lines]) + "\n")


def describe_saturation(metrics: Mapping[str, float], table: str) -> str:
    """Return a sentence on what is cut off, for a model card.

    Args:
        metrics: of the student; those of earlier versions have none of saturation.
        table: name of the file with all shares.
    """
    if "saturated_max" not in metrics:
        return "Which share of its inputs is beyond their range was not recorded."
    shares = ", ".join(
        f"{100 * value:.2g}% in {name.removeprefix('saturated/')}"
        for name, value in metrics.items()
        if name.startswith("saturated/")
    )
    return (
        f"Numbers beyond the range of their input are cut off: of those that are there {shares}; "
        f"of a single input at most {100 * metrics['saturated_max']:.2g}% ({table})."
    )

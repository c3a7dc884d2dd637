"""What an evaluation gives: flat metrics, curves, and the one metric to rank by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from l1distill.evaluation.curves import Curve, read_curve, write_curve

Curves = Mapping[str, Mapping[str, Curve]]
"""Family of curves (``roc``) to name (a signal) to curve."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well a model does.

    Attributes:
        metrics: names as in ``metrics.json``.
        curves: written as ``<family>/<name>.csv``.
        primary: name of the one metric that models are ranked by; the larger, the better.
        headline: names of the few metrics that a summary shows.
    """

    metrics: Mapping[str, float]
    primary: str
    curves: Curves = field(default_factory=dict)
    headline: tuple[str, ...] = ()


def write_curves(curves: Curves, folder: Path, subfolder: str = "") -> None:
    """Write every curve as ``<folder>/<family>/[<subfolder>/]<name>.csv``."""
    for family, by_name in curves.items():
        for name, curve in by_name.items():
            write_curve(curve, folder / family / subfolder / f"{name}.csv")


def read_curves(folder: Path) -> Curves:
    """Read the curves that :func:`write_curves` wrote directly into ``<folder>/<family>``."""
    families: dict[str, dict[str, Curve]] = {}
    for path in sorted(folder.glob("*/*.csv")):
        families.setdefault(path.parent.name, {})[path.stem] = read_curve(path)
    return families

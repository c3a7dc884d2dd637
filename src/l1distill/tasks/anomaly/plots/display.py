"""Display of the most anomalous events: their objects in eta and phi."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.reporting.plots.style import PALETTE, panels, save
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MET, MUONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4
JET_RADIUS = 0.4
KINDS = (
    ("electron", ELECTRONS, "o", PALETTE[0]),
    ("muon", MUONS, "s", PALETTE[1]),
    ("jet", JETS, None, PALETTE[4]),
)
"""Name, slots, marker and color; a jet is a circle of its radius."""
_ANGLE = np.linspace(0.0, 2.0 * np.pi, 41)
_CIRCLE = JET_RADIUS * np.stack([np.cos(_ANGLE), np.sin(_ANGLE)])


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An event to show.

    Attributes:
        title: above its panel.
        objects: (19, 3) pT [GeV], eta, phi [rad].
    """

    title: str
    objects: NDArray[np.floating[Any]]


def draw_display(events: Sequence[Shown], path: Path) -> None:
    """Draw events in the plane of eta and phi, with pT [GeV] beside each object.

    Args:
        events: in the order of the panels.
        path: where to.
    """
    rows = -(-len(events) // COLUMNS)
    figure, axes = panels(min(COLUMNS, len(events)), (3.0,) * rows, width=3.2)
    every = [ax for row in axes for ax in row]
    for ax in every[len(events) :]:
        ax.set_visible(False)
    for ax, event in zip(every, events, strict=False):
        _draw(ax, event.objects)
        ax.set_title(event.title, fontsize="small")
        ax.set(xlim=(-4.5, 4.5), ylim=(-3.6, 3.6))
    for row in axes:
        row[0].set(ylabel="φ [rad]")
    for ax in axes[-1]:
        ax.set(xlabel="η")
    figure.legend(
        *every[0].get_legend_handles_labels(), loc="outside lower center", ncols=4,
        frameon=False, fontsize="small",
    )  # fmt: skip
    save(figure, path)


def _draw(ax: "Axes", objects: NDArray[np.floating[Any]]) -> None:
    for name, slots, marker, color in KINDS:
        ax.plot([], [], marker or "o", color=color, label=name, mfc=color if marker else "none")
        for pt, eta, phi in objects[slots]:
            if pt <= 0:
                continue
            if marker is None:
                ax.plot(eta + _CIRCLE[0], phi + _CIRCLE[1], color=color, lw=1.5)
            else:
                ax.plot(eta, phi, marker, color=color, ms=5)
            ax.annotate(
                f"{pt:.0f}",
                (eta, phi),
                textcoords="offset points",
                xytext=(5, 4),
                fontsize="x-small",
            )
    met, _, phi = objects[MET]
    ax.axhline(phi, color="black", lw=1, ls="--", label="MET (numbers: pT [GeV])")
    ax.annotate(f"MET {met:.0f}", (-4.4, phi), fontsize="x-small", va="bottom")

"""Plot the distributions of a data set, background and signals together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.reporting.plots.style import BACKGROUND, canvas, save
from l1distill.tasks.anomaly.events import JETS, LEPTONS, MET
from l1distill.tasks.anomaly.plots.style import color, label

Objects = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A quantity to plot.

    Attributes:
        caption: of the plot.
        label: of the horizontal axis, with the unit.
        edges: of the bins.
        values: (n, 19, 3) objects to the values to fill, one or more per event.
    """

    caption: str
    label: str
    edges: NDArray[np.float64]
    values: Callable[[Objects], NDArray[Any]]


def _leading_lepton(objects: Objects) -> NDArray[Any]:
    leading: NDArray[Any] = objects[:, LEPTONS, 0].max(axis=1)
    return leading


def _jets(objects: Objects, feature: int) -> NDArray[Any]:
    jets = objects[:, JETS]
    return jets[jets[..., 0] > 0][:, feature]


def _phi(objects: Objects) -> NDArray[Any]:
    present = objects[:, 1:]
    return present[present[..., 0] > 0][:, 2]


VARIABLES = {
    "met": Variable(
        caption="Missing transverse energy",
        label="missing transverse energy [GeV]",
        edges=np.linspace(0, 200, 41),
        values=lambda objects: objects[:, MET, 0],
    ),
    "lepton_pt": Variable(
        caption="Transverse momentum of the leading lepton",
        label="pT of the leading lepton [GeV]",
        edges=np.linspace(0, 150, 51),
        values=_leading_lepton,
    ),
    "leptons": Variable(
        caption="Leptons in an event",
        label="leptons in an event",
        edges=np.arange(-0.5, 8.5),
        values=lambda objects: (objects[:, LEPTONS, 0] > 0).sum(axis=1),
    ),
    "jets": Variable(
        caption="Jets in an event",
        label="jets in an event",
        edges=np.arange(-0.5, 10.5),
        values=lambda objects: (objects[:, JETS, 0] > 0).sum(axis=1),
    ),
    "jet_pt": Variable(
        caption="Transverse momentum of jets",
        label="jet pT [GeV]",
        edges=np.linspace(0, 300, 51),
        values=lambda objects: _jets(objects, 0),
    ),
    "jet_eta": Variable(
        caption="Pseudorapidity of jets",
        label="jet η",
        edges=np.linspace(-4, 4, 41),
        values=lambda objects: _jets(objects, 1),
    ),
    "phi": Variable(
        caption="Azimuth: flat",
        label="φ of leptons and jets [rad]",
        edges=np.linspace(-np.pi, np.pi, 33),
        values=_phi,
    ),
}


def draw_events(samples: Mapping[str, Objects], folder: Path) -> list[tuple[str, Path]]:
    """Draw each of :data:`VARIABLES` into ``folder``.

    Args:
        samples: ``background`` and each signal, (n, 19, 3).
        folder: gets one PNG per variable.

    Returns:
        Caption and file of each plot.
    """
    for name, variable in VARIABLES.items():
        figure, (ax,) = canvas()
        style: dict[str, Any] = {"bins": variable.edges, "density": True}
        for sample, objects in samples.items():
            look: dict[str, Any]
            if sample == "background":
                look = {"color": BACKGROUND, "alpha": 0.6, "label": sample}
            else:
                look = {"color": color(sample), "histtype": "step", "label": label(sample)}
            ax.hist(variable.values(objects), **look, **style)
        ax.set(xlabel=variable.label, ylabel="density", yscale="log")
        ax.legend(frameon=False)
        save(figure, folder / f"{name}.png")
    return pictures_of(folder)


def pictures_of(folder: Path) -> list[tuple[str, Path]]:
    """List caption and file of each plot that :func:`draw_events` writes into ``folder``."""
    return [(variable.caption, folder / f"{name}.png") for name, variable in VARIABLES.items()]

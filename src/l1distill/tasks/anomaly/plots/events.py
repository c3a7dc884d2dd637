"""Figures of a data set: what its events look like, background and signals together."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.reporting.plots.style import BACKGROUND, canvas, save
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MET, MUONS
from l1distill.tasks.anomaly.plots.style import color, label

Objects = NDArray[np.floating[Any]]


class Variable(NamedTuple):
    """Something to draw of an event."""

    caption: str
    label: str
    edges: NDArray[np.float64]
    values: Callable[[Objects], NDArray[Any]]
    """(n, 19, 3) objects to the values to fill, one or more an event."""


def _leading_lepton(objects: Objects) -> NDArray[Any]:
    leading: NDArray[Any] = np.maximum(
        objects[:, ELECTRONS, 0].max(axis=1), objects[:, MUONS, 0].max(axis=1)
    )
    return leading


def _jets(objects: Objects, feature: int) -> NDArray[Any]:
    jets = objects[:, JETS]
    return jets[jets[..., 0] > 0][:, feature]


def _phi(objects: Objects) -> NDArray[Any]:
    present = objects[:, 1:]
    return present[present[..., 0] > 0][:, 2]


VARIABLES = {
    "met": Variable(
        "Missing transverse energy",
        "missing transverse energy [GeV]",
        np.linspace(0, 200, 41),
        lambda o: o[:, MET, 0],
    ),
    "lepton_pt": Variable(
        "Leading lepton: the filter asks for 23 GeV",
        "pT of the leading lepton [GeV]",
        np.linspace(0, 150, 51),
        _leading_lepton,
    ),
    "leptons": Variable(
        "Leptons in an event",
        "leptons in an event",
        np.arange(-0.5, 8.5),
        lambda o: (o[:, ELECTRONS.start : MUONS.stop, 0] > 0).sum(axis=1),
    ),
    "jets": Variable(
        "Jets in an event",
        "jets in an event",
        np.arange(-0.5, 10.5),
        lambda o: (o[:, JETS, 0] > 0).sum(axis=1),
    ),
    "jet_pt": Variable(
        "Transverse momentum of jets",
        "jet pT [GeV]",
        np.linspace(0, 300, 51),
        lambda o: _jets(o, 0),
    ),
    "jet_eta": Variable(
        "Pseudorapidity of jets", "jet η", np.linspace(-4, 4, 41), lambda o: _jets(o, 1)
    ),
    "phi": Variable(
        "Azimuth: flat", "φ of leptons and jets [rad]", np.linspace(-np.pi, np.pi, 33), _phi
    ),
}


def draw_events(samples: Mapping[str, Objects], folder: Path) -> list[tuple[str, Path]]:
    """Draws each of :data:`VARIABLES` into ``folder``.

    Args:
        samples: ``background`` and each signal, (n, 19, 3).
        folder: gets one PNG a variable.

    Returns:
        Caption and file of each figure.
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
    """Lists what :func:`draw_events` drew into ``folder``: caption and file."""
    return [(variable.caption, folder / f"{name}.png") for name, variable in VARIABLES.items()]

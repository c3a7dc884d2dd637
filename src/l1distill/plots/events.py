"""Figures of a data set: what its events look like, background and signals together."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.data.events import ELECTRONS, JETS, MET, MUONS
from l1distill.plots.style import BACKGROUND, COLOURS, LABELS, canvas, save

Objects = NDArray[np.floating[Any]]


class Variable(NamedTuple):
    """Something to draw of an event."""

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


VARIABLES = {
    "met": Variable(
        "missing transverse energy [GeV]", np.linspace(0, 200, 41), lambda o: o[:, MET, 0]
    ),
    "lepton_pt": Variable(
        "pT of the leading lepton [GeV]", np.linspace(0, 150, 51), _leading_lepton
    ),
    "leptons": Variable(
        "leptons in an event",
        np.arange(-0.5, 8.5),
        lambda o: (o[:, ELECTRONS.start : MUONS.stop, 0] > 0).sum(axis=1),
    ),
    "jets": Variable(
        "jets in an event", np.arange(-0.5, 10.5), lambda o: (o[:, JETS, 0] > 0).sum(axis=1)
    ),
    "jet_pt": Variable("jet pT [GeV]", np.linspace(0, 300, 51), lambda o: _jets(o, 0)),
    "jet_eta": Variable("jet η", np.linspace(-4, 4, 41), lambda o: _jets(o, 1)),
}


def draw_events(samples: Mapping[str, Objects], folder: Path) -> None:
    """Draws each of :data:`VARIABLES` into ``folder``.

    Args:
        samples: ``background`` and each signal, (n, 19, 3).
        folder: gets one PNG a variable.
    """
    for name, variable in VARIABLES.items():
        figure, (ax,) = canvas()
        style: dict[str, Any] = {"bins": variable.edges, "density": True}
        for sample, objects in samples.items():
            look: dict[str, Any]
            if sample == "background":
                look = {"color": BACKGROUND, "alpha": 0.6, "label": sample}
            else:
                look = {"color": COLOURS[sample], "histtype": "step", "label": LABELS[sample]}
            ax.hist(variable.values(objects), **look, **style)
        ax.set(xlabel=variable.label, ylabel="density", yscale="log")
        ax.legend(frameon=False)
        save(figure, folder / f"{name}.png")

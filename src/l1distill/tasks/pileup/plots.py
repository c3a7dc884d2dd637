"""Pictures of events with pileup."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.style import BACKGROUND, PALETTE, canvas, save
from l1distill.simulation.columns import DetectorObjects
from l1distill.tasks.pileup.checks import Looked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HARD, _PILEUP = PALETTE[1], BACKGROUND
_LOOKS = {"hard": ("hard collision", _HARD), "pileup": ("pileup", _PILEUP)}
METHODS = {
    "none": ("no mitigation", PALETTE[7]),
    "chs": ("charged hadron subtraction", PALETTE[2]),
    "puppi": ("PUPPI", PALETTE[0]),
    "truth": ("true hard fraction", PALETTE[1]),
}


def draw_events(looked: Looked, folder: Path) -> list[Picture]:
    """Draw a data set into ``folder/plots``."""
    plots = folder / FOLDER
    drawings = (
        ("event.png", _draw_event, "One event with pileup and without it; areas go with pT"),
        ("multiplicity.png", _draw_multiplicity, "Particles of events with pileup"),
        (
            "dz.png",
            _draw_dz,
            "Distance of tracks above 2 GeV in the barrel from the hard collision",
        ),
        ("puppi.png", _draw_puppi, "PUPPI weights of neutral particles above 1 GeV"),
        ("responses.png", _draw_responses, "Responses of missing momentum and jets"),
    )
    for name, draw, _ in drawings:
        draw(looked, plots / name)
    return [Picture(caption=caption, path=plots / name) for name, _, caption in drawings]


def _draw_event(looked: Looked, path: Path) -> None:
    figure, (left, right) = canvas(2, height=4.0)
    particles = looked.first.particles
    hard = particles.hard_fraction > 0.5
    _scatter(left, particles.take(~hard), _PILEUP, "pileup")
    _scatter(left, particles.take(hard), _HARD, "hard collision")
    _scatter(right, looked.first.without_pileup, _HARD, "hard collision")
    left.set_title(f"{int(looked.first.numbers[0, 0])} pileup collisions")
    right.set_title("without pileup")
    left.legend(frameon=True, fontsize="small", loc="upper right")
    save(figure, path)


def _scatter(ax: "Axes", objects: DetectorObjects, color: str, label: str) -> None:
    ax.scatter(
        objects.eta, objects.phi, s=3.0 * objects.pt, color=color, alpha=0.5, lw=0, label=label
    )
    ax.set(xlabel="eta", ylabel="phi [rad]", xlim=(-4.2, 4.2), ylim=(-3.3, 3.3))


def _draw_multiplicity(looked: Looked, path: Path) -> None:
    figure, (left, right) = canvas(2, height=4.0)
    left.hist(looked.particles, bins=30, color=PALETTE[0])
    left.set(xlabel="particles", ylabel="events")
    right.scatter(looked.pileup, looked.particles, s=6, color=PALETTE[0], lw=0)
    right.set(xlabel="pileup collisions", ylabel="particles")
    save(figure, path)


def _draw_dz(looked: Looked, path: Path) -> None:
    figure, axes = canvas(2, height=4.0)
    for ax, width in zip(axes, (150.0, 1.0), strict=True):
        edges = np.linspace(-width, width, 61).tolist()
        for name, (label, color) in _LOOKS.items():
            ax.hist(looked.dz[name], bins=edges, histtype="step", color=color, label=label)
        ax.set(xlabel="dz [mm]", ylabel="tracks", yscale="log")
    axes[0].legend(frameon=False)
    save(figure, path)


def _draw_puppi(looked: Looked, path: Path) -> None:
    figure, (ax,) = canvas()
    edges = np.linspace(0.0, 1.0, 41).tolist()
    for name, (label, color) in _LOOKS.items():
        weights = looked.neutral[name]
        share = np.full(len(weights), 1.0 / max(len(weights), 1))
        ax.hist(weights, bins=edges, weights=share, histtype="step", color=color, label=label)
    ax.set(xlabel="PUPPI weight", ylabel="share of particles", yscale="log")
    ax.legend(frameon=False)
    save(figure, path)


def _draw_responses(looked: Looked, path: Path) -> None:
    figure, axes = canvas(2, height=4.0)
    words = {"ptmiss": "response of missing pT", "jet_pt": "response of jet pT"}
    for ax, (quantity, label) in zip(axes, words.items(), strict=True):
        edges = np.linspace(-1.0, 1.5, 61).tolist()
        for name, (method, color) in METHODS.items():
            values = looked.responses[quantity][name].values
            share = np.full(len(values), 1.0 / max(len(values), 1))
            ax.hist(values, bins=edges, weights=share, histtype="step", color=color, label=method)
        ax.set(xlabel=label, ylabel="share")
    axes[0].legend(frameon=False, fontsize="small")
    save(figure, path)

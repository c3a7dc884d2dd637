"""Pictures of the study of pileup: figures 2 to 5 of Bal et al. 2024."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.evaluation.curves import Curve
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.style import PALETTE, canvas, save
from l1distill.simulation.columns import FloatArray
from l1distill.tasks.pileup.evaluation import JETS, PTMISS, TEACHER
from l1distill.tasks.pileup.maps import ETA_EDGES, PHI_EDGES
from l1distill.tasks.pileup.plots import METHODS
from l1distill.tasks.pileup.study_runs import FIXED, FLOAT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS = {
    **METHODS,
    TEACHER: ("teacher", PALETTE[3]),
    FLOAT: ("student", PALETTE[6]),
    FIXED: ("8-bit student", PALETTE[4]),
}
_WORDS = {PTMISS: "response of missing pT", JETS: "response of jet pT"}


def draw_responses(curves: Mapping[str, Mapping[str, Curve]], folder: Path) -> Picture:
    """Draw figure 2 into ``folder/plots``: responses, by quantity and method."""
    figure, axes = canvas(2, height=4.0)
    for ax, (quantity, label) in zip(axes, _WORDS.items(), strict=True):
        _steps(ax, curves[quantity])
        ax.set(xlabel=label, ylabel="share")
    axes[0].legend(frameon=False, fontsize="small")
    return _saved(
        figure, folder, "pileup_responses.png", "Responses of missing pT and jets (figure 2)"
    )


def draw_weights(curves: Mapping[str, Curve], folder: Path) -> Picture:
    """Draw figure 3: distributions of weights, by method."""
    figure, (ax,) = canvas()
    _steps(ax, curves)
    ax.set(xlabel="weight", ylabel="share of particles", yscale="log")
    ax.legend(frameon=False)
    return _saved(figure, folder, "pileup_weights.png", "Weights of particles (figure 3)")


def draw_maps(maps: Mapping[str, FloatArray], folder: Path) -> Picture:
    """Draw figure 4: pT over that without pileup in eta and phi, by method."""
    figure, axes = canvas(len(maps), width=3.6, height=3.6)
    for ax, (name, ratios) in zip(axes, maps.items(), strict=True):
        drawn = ax.pcolormesh(ETA_EDGES, PHI_EDGES, ratios.T, cmap="RdBu", vmin=0.0, vmax=2.0)
        ax.grid(visible=False)
        ax.set(title=_LOOKS[name][0], xlabel="eta")
    axes[0].set_ylabel("phi [rad]")
    figure.colorbar(drawn, ax=axes[-1], label="pT over pT without pileup")
    caption = "Sum of weighted pT over that of the events without pileup (figure 4)"
    return _saved(figure, folder, "pileup_maps.png", caption)


def draw_times(found: Mapping[str, Sequence[float]], sizes: Sequence[int], folder: Path) -> Picture:
    """Draw figure 5: CPU time of an event against the events of a batch."""
    figure, (ax,) = canvas()
    for color, (name, row) in zip(PALETTE, found.items(), strict=False):
        ax.plot(sizes, [1e3 * value for value in row], marker="o", color=color, label=name)
    ax.set(xlabel="events of a batch", ylabel="CPU time of an event [ms]", yscale="log")
    ax.legend(frameon=False)
    return _saved(figure, folder, "pileup_times.png", "CPU time of an event (figure 5)")


def _steps(ax: "Axes", curves: Mapping[str, Curve]) -> None:
    for name, curve in curves.items():
        words, color = _LOOKS[name]
        ax.step(curve.x, curve.y, where="mid", color=color, label=words)


def _saved(figure: "Figure", folder: Path, name: str, caption: str) -> Picture:
    path = folder / FOLDER / name
    save(figure, path)
    return Picture(caption=caption, path=path)

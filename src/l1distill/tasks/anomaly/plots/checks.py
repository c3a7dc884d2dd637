"""Plots that compare a background sample with known physics."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.reporting.plots.style import canvas, save
from l1distill.tasks.anomaly.events import JETS, LEPTONS, MET, PROCESSES
from l1distill.tasks.anomaly.generator.checks import PDG_Z_MASS, dilepton_masses, leading_lepton_pt

HALF_W_MASS = 40.2  # [GeV]
_PALETTE = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2")


def draw_checks(
    objects: NDArray[np.floating[Any]], process: NDArray[np.int8], folder: Path
) -> list[tuple[str, Path]]:
    """Draw the Z peak, the W's Jacobian edge, MET against activity, and jets by process.

    Args:
        objects: (n, 19, 3) of the background.
        process: (n,) index into ``events.PROCESSES``.
        folder: gets one PNG per plot.

    Returns:
        Caption and file of each plot.
    """
    by_name = {name: objects[process == code] for code, name in enumerate(PROCESSES)}
    figure, (ax,) = canvas()
    ax.hist(dilepton_masses(by_name["z"]), bins=_edges(50, 130, 81), color=_PALETTE[0])
    ax.axvline(PDG_Z_MASS, color="black", lw=1, ls="--", label=f"{PDG_Z_MASS} GeV (PDG)")
    ax.set(xlabel="mass of the two leading leptons in Z events [GeV]", ylabel="events")
    ax.legend(frameon=False)
    save(figure, folder / "z_peak.png")

    figure, (ax,) = canvas()
    ax.hist(leading_lepton_pt(by_name["w"]), bins=_edges(20, 80, 61), color=_PALETTE[0])
    ax.axvline(HALF_W_MASS, color="black", lw=1, ls="--", label="half the W mass")
    ax.set(xlabel="pT of the leading lepton in W events [GeV]", ylabel="events")
    ax.legend(frameon=False)
    save(figure, folder / "w_edge.png")

    figure, (ax,) = canvas()
    pairs = by_name["z"][(by_name["z"][:, LEPTONS, 0] > 0).sum(axis=1) >= 2]
    activity = pairs[:, JETS, 0].sum(axis=1)
    edges = np.array([0.0, 1.0, 40.0, 80.0, 120.0, 200.0])
    bins = np.digitize(activity, edges) - 1
    for low in range(len(edges) - 1):
        met = pairs[bins == low, MET, 0]
        if len(met) > 1:
            error = met.std() / np.sqrt(len(met))
            ax.errorbar(0.5 * (edges[low] + edges[low + 1]), met.mean(), error, fmt="o", color="k")
    ax.set(xlabel="scalar sum of jet pT [GeV]", ylabel="mean MET in Z → ℓℓ events [GeV]")
    save(figure, folder / "met_activity.png")

    figure, (ax,) = canvas()
    for (name, events), color in zip(by_name.items(), _PALETTE, strict=True):
        if len(events):
            jets = (events[:, JETS, 0] > 0).sum(axis=1)
            ax.hist(
                jets, bins=_edges(-0.5, 9.5, 11), density=True, histtype="step", color=color,
                label=f"{name}, {len(events)} events",
            )  # fmt: skip
    ax.set(xlabel="jets in an event", ylabel="share of events", yscale="log")
    ax.legend(frameon=False)
    save(figure, folder / "jets_by_process.png")
    return [
        ("Z → ℓℓ, no neutrinos: the peak stands at the Z mass", folder / "z_peak.png"),
        ("W → ℓν: the Jacobian edge at half the W mass", folder / "w_edge.png"),
        ("The MET resolution grows with activity", folder / "met_activity.png"),
        ("Jets by process", folder / "jets_by_process.png"),
    ]


def _edges(low: float, high: float, number: int) -> list[float]:
    edges: list[float] = np.linspace(low, high, number).tolist()
    return edges

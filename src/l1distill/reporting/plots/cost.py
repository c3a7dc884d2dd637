"""The plot of what a student is worth against what it costs: AUC over LUTs and latency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.style import PALETTE, panels, save

MARKERS = "osD^vP*Xh<>p"


@dataclass(frozen=True, kw_only=True)
class CostPoint:
    """A job in the plot.

    Attributes:
        label: jobs of one label have one color; they differ in the seed only.
        lut: counted by yosys.
        latency_ns: of its firmware [ns].
        auc: of each signal, with its standard error.
    """

    label: str
    lut: float
    latency_ns: float
    auc: Mapping[str, tuple[float, float]]


def draw_cost(points: Sequence[CostPoint], folder: Path) -> Picture:
    """Draw AUC against LUTs and latency, a panel for each signal, with error bars.

    Args:
        points: of all jobs.
        folder: to draw ``plots/cost.png`` into.
    """
    signals = list(dict.fromkeys(signal for point in points for signal in point.auc))
    axes_of = (("lut", "LUT (yosys)"), ("latency_ns", "latency [ns]"))
    labels = list(dict.fromkeys(point.label for point in points))
    figure, rows = panels(len(axes_of), [2.4] * len(signals), width=5.0)
    for row, signal in zip(rows, signals, strict=True):
        for ax, (key, _) in zip(row, axes_of, strict=True):
            for at, label in enumerate(labels):
                of_label = [p for p in points if p.label == label and signal in p.auc]
                ax.errorbar(
                    [getattr(point, key) for point in of_label],
                    [point.auc[signal][0] for point in of_label],
                    yerr=[point.auc[signal][1] for point in of_label],
                    fmt=MARKERS[at // len(PALETTE) % len(MARKERS)],
                    color=PALETTE[at % len(PALETTE)],
                    markersize=5,
                    capsize=2,
                    label=label,
                )
        row[0].set_ylabel(f"AUC {signal}")
    for ax, (_, name) in zip(rows[-1], axes_of, strict=True):
        ax.set_xlabel(name)
    handles, names = rows[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    path = folder / FOLDER / "cost.png"
    save(figure, path)
    return Picture(caption="AUC of each job against its LUTs and its latency", path=path)

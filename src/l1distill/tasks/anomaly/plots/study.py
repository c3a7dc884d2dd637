"""Figures II to V of Govorkova et al.: ROC curves of every score, TPR against bit width."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from l1distill.evaluation.curves import Curve
from l1distill.reporting.plots.style import canvas, save
from l1distill.tasks.anomaly.plots.style import color, label
from l1distill.tasks.anomaly.study import METHODS, NAMES, SCORE_NAMES, Ratio

_STYLES = {"mse": "-", "kl": "--", "rz": ":"}


def draw_score_rocs(
    curves: Mapping[str, Mapping[str, Curve]], signals: Sequence[str], title: str, path: Path
) -> None:
    """Draws the ROC curve of each model and score, a panel a signal.

    Args:
        curves: "architecture/score" to signal to curve.
        signals: in the order of the panels.
        title: of the figure.
        path: where to.
    """
    figure, axes = canvas(len(signals), width=4.5, height=4.2)
    for ax, signal in zip(axes, signals, strict=True):
        for number, (name, by_signal) in enumerate(curves.items()):
            architecture, score = name.split("/")
            roc = by_signal[signal]
            ax.plot(
                roc.x, roc.y, _STYLES[score], color=f"C{number}",
                label=f"{NAMES[architecture]} {SCORE_NAMES[score]}",
            )  # fmt: skip
        ax.set(xscale="log", yscale="log", xlim=(1e-5, 1), ylim=(1e-5, 1.2))
        ax.set(xlabel="false positive rate", ylabel="true positive rate", title=label(signal))
        ax.legend(frameon=False, fontsize="small")
    figure.suptitle(title)
    save(figure, path)


def draw_ratios(
    points: Mapping[str, Mapping[str, Sequence[Ratio]]], title: str, what: str, path: Path
) -> None:
    """Draws the ratio to the pruned float model against the bit width, a panel a method.

    Args:
        points: method to signal to its points.
        title: of the figure.
        what: is compared.
        path: where to.
    """
    figure, axes = canvas(len(METHODS), width=5.0, height=4.2)
    for ax, method in zip(axes, METHODS, strict=True):
        for shift, (signal, series) in enumerate(points[method].items()):
            ax.errorbar(
                [ratio.bits + 0.12 * (shift - 1.5) for ratio in series],
                [ratio.value for ratio in series],
                [ratio.error for ratio in series],
                fmt="o-", ms=4, lw=1, color=color(signal), label=label(signal),
            )  # fmt: skip
        ax.axhline(1.0, color="black", lw=1, ls=":")
        ax.set(xlabel="bits", ylabel=f"{what}, over the pruned float model", title=method.upper())
        ax.legend(frameon=False, fontsize="small")
    figure.suptitle(title)
    save(figure, path)

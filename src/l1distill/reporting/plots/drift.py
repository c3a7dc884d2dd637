"""Plots of drift: scores and the inputs that differ most, of a reference and of new events."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.reporting.plots.style import BACKGROUND, PALETTE, canvas, save

BINS = 40


def draw_compared(
    columns: Mapping[str, tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]],
    path: Path,
    threshold: float | None = None,
) -> None:
    """Draw histograms of numbers in two samples, side by side; the last bin holds what is beyond.

    Args:
        columns: name of a number to its values in the reference (n,) and in the new events (m,).
        path: where to.
        threshold: of the first number, drawn as a line.
    """
    figure, axes = canvas(columns=len(columns), width=5.0)
    for ax, (name, (reference, new)) in zip(axes, columns.items(), strict=True):
        everything = np.concatenate([reference, new])
        edges = np.linspace(everything.min(), np.quantile(everything, 0.999), BINS + 1)
        if edges[0] == edges[-1]:
            edges = np.linspace(edges[0] - 0.5, edges[0] + 0.5, BINS + 1)
        style: dict[str, Any] = {"bins": edges, "density": True}
        before, after = (np.clip(values, edges[0], edges[-1]) for values in (reference, new))
        ax.hist(before, color=BACKGROUND, alpha=0.6, label="at promotion", **style)
        ax.hist(after, histtype="step", color=PALETTE[1], label="new", **style)
        ax.set(xlabel=name, ylabel="density", yscale="log")
    if threshold is not None:
        axes[0].axvline(threshold, color="black", linestyle="dotted", label="working point")
    axes[0].legend(frameon=False)
    save(figure, path)


def draw_bars(
    names: Sequence[str],
    values: Sequence[float],
    errors: Sequence[float],
    limit: float,
    label: str,
    path: Path,
) -> None:
    """Draw values with their errors as bars, the largest on top, and a limit.

    Args:
        names: one for each bar.
        values: their lengths.
        errors: standard errors.
        limit: drawn as a line.
        label: of the axis.
        path: where to.
    """
    figure, (ax,) = canvas(width=7.0)
    order = np.argsort(values)
    ax.barh(
        [names[place] for place in order],
        np.asarray(values)[order],
        xerr=np.asarray(errors)[order],
        color=PALETTE[0],
    )
    ax.axvline(limit, color=PALETTE[1], linestyle="dashed", label="limit")
    ax.set(xlabel=label)
    ax.legend(frameon=False)
    save(figure, path)

"""Pictures of a study of budgets: performance, use and structure against what was asked for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from l1distill.evaluation.budgets import BudgetPoint, Unit, of_method
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.cost import MARKERS
from l1distill.reporting.plots.style import PALETTE, canvas, save


def draw_performance(
    found: Sequence[BudgetPoint], unit: Unit, metric: str, folder: Path
) -> Picture:
    """Draw how well each method does against the share that is used, with errors over the seeds.

    Args:
        found: points of one unit.
        unit: ``nodes`` or ``features``.
        metric: what the values are.
        folder: to draw ``plots/performance_<unit>.png`` into.
    """
    figure, (ax,) = canvas(width=7.0)
    for at, method in enumerate(dict.fromkeys(point.method for point in found)):
        of = of_method(found, method)
        ax.errorbar(
            [100 * point.asked / point.before for point in of],
            [point.mean for point in of],
            yerr=[0.0 if np.isnan(point.spread) else point.spread for point in of],
            fmt=f"-{MARKERS[at % len(MARKERS)]}",
            color=PALETTE[at % len(PALETTE)],
            markersize=4,
            capsize=2,
            label=method,
        )
    ax.set(xlabel=f"{unit} used [%]", ylabel=metric, xscale="log")
    ax.set_xticks(ticks := [2, 5, 10, 20, 50, 100], [str(tick) for tick in ticks])
    ax.legend(frameon=False, fontsize=8)
    path = folder / FOLDER / f"performance_{unit}.png"
    save(figure, path)
    caption = (
        f"{metric} against the share of {unit} that is used; standard deviation over the seeds"
    )
    return Picture(caption=caption, path=path)


def draw_used(found: Sequence[BudgetPoint], unit: Unit, folder: Path) -> Picture:
    """Draw how many each run uses against how many were asked for."""
    figure, (ax,) = canvas()
    largest = max(point.before for point in found)
    ax.plot([0, largest], [0, largest], color="black", lw=1, ls="--", label="as many as asked for")
    for at, method in enumerate(dict.fromkeys(point.method for point in found)):
        runs = [run for point in of_method(found, method) for run in point.runs]
        ax.plot(
            [run.asked for run in runs],
            [run.used for run in runs],
            MARKERS[at % len(MARKERS)],
            color=PALETTE[at % len(PALETTE)],
            markersize=4,
            label=method,
        )
    ax.set(xlabel=f"{unit} asked for", ylabel=f"{unit} used")
    ax.legend(frameon=False, fontsize=8)
    path = folder / FOLDER / f"used_{unit}.png"
    save(figure, path)
    return Picture(caption=f"{unit.capitalize()} used against asked for, of every run", path=path)


def draw_layers(found: Sequence[BudgetPoint], method: str, folder: Path) -> Picture:
    """Draw which nodes of each layer are left, against an even share, by budget."""
    of = of_method(found, method)
    figure, (ax,) = canvas(width=7.0)
    places = np.arange(len(of), dtype=float)
    names = list(of[0].runs[0].layers)
    width = 0.8 / len(names)
    for at, name in enumerate(names):
        numbers = [point.layers()[name] for point in of]
        ax.bar(
            places + (at - (len(names) - 1) / 2) * width,
            [mean / point.asked for (mean, _), point in zip(numbers, of, strict=True)],
            width,
            yerr=[
                0.0 if np.isnan(spread) else spread / point.asked
                for (_, spread), point in zip(numbers, of, strict=True)
            ],
            color=PALETTE[at % len(PALETTE)],
            capsize=2,
            label=name,
        )
    ax.axhline(1 / len(names), color="black", lw=1, ls="--", label="even")
    ax.set_xticks(places, [str(point.asked) for point in of])
    ax.set(xlabel="nodes asked for", ylabel="share of the nodes that are left")
    ax.legend(frameon=False, fontsize=8)
    path = folder / FOLDER / "layers.png"
    save(figure, path)
    return Picture(caption=f"Where the nodes are that {method} left", path=path)


def draw_stability(
    point_of: Sequence[BudgetPoint], unit: Unit, metric: str, folder: Path
) -> Picture:
    """Draw the values of all seeds of some points as points on lines of their own."""
    figure, (ax,) = canvas(width=7.0, height=1.2 + 0.5 * len(point_of))
    for at, point in enumerate(point_of):
        values = [run.value for run in point.runs]
        ax.plot(values, [at] * len(values), "o", color=PALETTE[at % len(PALETTE)], alpha=0.6)
        ax.errorbar(point.mean, at + 0.25, xerr=point.spread, fmt="k|", capsize=3)
    labels = [f"{p.method}, {p.asked} {unit}, {len(p.runs)} seeds" for p in point_of]
    ax.set_yticks(range(len(point_of)), labels)
    ax.set(xlabel=metric, ylim=(-0.5, len(point_of) - 0.3))
    path = folder / FOLDER / f"stability_{unit}.png"
    save(figure, path)
    return Picture(caption=f"{metric} of every seed, mean and standard deviation", path=path)

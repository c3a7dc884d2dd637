"""The page of a study of budgets: performance, use, structure, stability and features kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from statistics import fmean

from l1distill.evaluation.budgets import (
    TAUGHT,
    TOLERANCE,
    BudgetPoint,
    Difference,
    Unit,
    differences,
    largest_drop,
    of_method,
    off_budget,
)
from l1distill.reporting.pictures import Picture
from l1distill.reporting.study_page import render_study
from l1distill.reporting.tables import Column, Table

OURS = "autopruner"
SEEDS = 10
"""Seeds from which a point is one of stability."""


@dataclass(frozen=True, kw_only=True)
class BudgetPart:
    """The points of one unit.

    Attributes:
        unit: ``nodes`` or ``features``.
        metric: what the values are.
        points: of all methods and budgets.
    """

    unit: Unit
    metric: str
    points: Sequence[BudgetPoint]

    @property
    def stable(self) -> list[BudgetPoint]:
        """Points with many seeds."""
        return [point for point in self.points if len(point.runs) >= SEEDS]


def budget_words(part: BudgetPart) -> list[str]:
    """Return what must hold, and whether it does, in sentences."""
    runs = [run for point in part.points for run in point.runs]
    missed = off_budget(part.points)
    words = [
        f"{part.unit.capitalize()} used: {len(runs) - len(missed)} of {len(runs)} networks are "
        "left with exactly as many as were asked for."
    ]
    taught = dict.fromkeys(p.method for p in part.points if p.method.startswith(f"{OURS}{TAUGHT}"))
    for method in (OURS, *taught):
        if len(of_method(part.points, method)) < 2:
            continue
        drop = largest_drop(part.points, method)
        held = "within" if drop <= TOLERANCE else "NOT within"
        words.append(
            f"Performance of {method} grows with the share of {part.unit} that is used, {held} "
            f"{TOLERANCE:g}: a larger budget does worse than a smaller one by {max(drop, 0.0):.4f} "
            "at most. The epoch of each network was chosen on the validation split."
        )
    return words


def budget_tables(part: BudgetPart) -> list[Table]:
    """Return all tables of a unit."""
    tables = [_performance(part)]
    others = dict.fromkeys(point.method for point in part.points if point.method != OURS)
    beside = {
        name: differences(part.points, name.replace(method, OURS, 1), name)
        for name in others
        if (method := name.partition(TAUGHT)[0]) != OURS
    }
    if any(beside.values()):
        tables.append(_beside(part, {name: found for name, found in beside.items() if found}))
    taught = [name for name in others if name.startswith(f"{OURS}{TAUGHT}")]
    added = {name.split(TAUGHT)[1]: differences(part.points, name, OURS) for name in taught}
    if any(added.values()):
        tables.append(_added(part, {name: found for name, found in added.items() if found}))
    if part.unit == "nodes":
        tables.append(_layers(part))
    else:
        tables += [_alike(part), _kept(part)]
    if part.stable:
        tables.append(_stability(part))
    return tables


def render_budgets(
    title: str, lead: str, parts: Sequence[BudgetPart], pictures: Sequence[Picture]
) -> tuple[str, str]:
    """Return the page as HTML and as Markdown.

    Args:
        title: heading.
        lead: what was run.
        parts: of nodes and features.
        pictures: of them.
    """
    words = [sentence for part in parts for sentence in budget_words(part)]
    tables = [table for part in parts for table in budget_tables(part)]
    return render_study(title, lead, words, tables, pictures)


def draw_budgets(part: BudgetPart, folder: Path) -> list[Picture]:
    """Draw the pictures of a unit into ``folder/plots``."""
    from l1distill.reporting.plots import budgets as plots

    pictures = [
        plots.draw_performance(part.points, part.unit, part.metric, folder),
        plots.draw_used(part.points, part.unit, folder),
    ]
    if part.unit == "nodes" and of_method(part.points, OURS):
        pictures.append(plots.draw_layers(part.points, OURS, folder))
    if part.stable:
        pictures.append(plots.draw_stability(part.stable, part.unit, part.metric, folder))
    return pictures


def _budgets(part: BudgetPart) -> list[int]:
    return sorted({point.asked for point in part.points})


def _number(value: float, spec: str = ".4f") -> str:
    return "?" if isnan(value) else f"{value:{spec}}"


def _performance(part: BudgetPart) -> Table:
    budgets = _budgets(part)
    before = max(point.before for point in part.points)
    rows = []
    for method in dict.fromkeys(point.method for point in part.points):
        of = {point.asked: point for point in of_method(part.points, method)}
        cells = [
            f"{of[k].mean:.4f} ± {_number(of[k].spread)} ({len(of[k].runs)})" if k in of else "–"
            for k in budgets
        ]
        rows.append([method, *cells])
    error = fmean(point.error for point in part.points)
    return Table(
        title=f"{part.metric} against {part.unit} used, of {before}",
        lead=f"Mean ± standard deviation over the seeds (how many). The test items add "
        f"{_number(error)}, common to all.",
        columns=[
            Column(name="method"),
            *(Column(name=f"{k} ({100 * k / before:.0f}%)", numeric=True) for k in budgets),
        ],
        rows=rows,
    )


def _beside(part: BudgetPart, beside: dict[str, list[Difference]]) -> Table:
    return _paired(part, f"{OURS} less the others, by {part.unit}", "less than", beside)


def _added(part: BudgetPart, added: dict[str, list[Difference]]) -> Table:
    title = f"What distillation adds to {OURS}, by {part.unit}"
    return _paired(part, title, "distilled less labels alone", added)


def _paired(part: BudgetPart, title: str, head: str, by: dict[str, list[Difference]]) -> Table:
    budgets = _budgets(part)
    rows = []
    for name, found in by.items():
        of = {one.asked: one for one in found}
        cells = [f"{of[k].mean:+.4f} ± {_number(of[k].error)}" if k in of else "–" for k in budgets]
        rows.append([name, *cells])
    return Table(
        title=title,
        lead="Mean of the differences of networks with the same seed, and its standard error.",
        columns=[Column(name=head), *(Column(name=str(k), numeric=True) for k in budgets)],
        rows=rows,
    )


def _layers(part: BudgetPart) -> Table:
    names = list(dict.fromkeys(n for point in part.points for n in point.runs[0].layers))
    chosen = [point for point in part.points if point.method.startswith(OURS)]
    return Table(
        title="Structure found against structure asked",
        lead="Nodes of each layer that are left, mean ± standard deviation over the seeds, beside "
        "what an even share of the budget would be.",
        columns=[
            Column(name="method"),
            Column(name="nodes asked", numeric=True),
            Column(name="even share", numeric=True),
            *(Column(name=name, numeric=True) for name in names),
        ],
        rows=[
            [
                point.method,
                str(point.asked),
                f"{point.asked / len(names):.1f}",
                *(f"{mean:.1f} ± {_number(of, '.1f')}" for mean, of in point.layers().values()),
            ]
            for point in chosen
        ],
    )


def _alike(part: BudgetPart) -> Table:
    return Table(
        title="How alike the features of two seeds are",
        lead="Mean Jaccard index of the features kept by any two seeds: 1 where they are the same.",
        columns=[
            Column(name="method"),
            *(Column(name=str(k), numeric=True) for k in _budgets(part)),
        ],
        rows=[
            [
                method,
                *(
                    next((_number(p.alike(), ".2f") for p in of if p.asked == k), "–")
                    for k in _budgets(part)
                ),
            ]
            for method in dict.fromkeys(point.method for point in part.points)
            for of in [of_method(part.points, method)]
        ],
    )


def _kept(part: BudgetPart) -> Table:
    return Table(
        title="Features kept",
        lead="By name, and by how many of the seeds.",
        columns=[
            Column(name="method"),
            Column(name="features asked", numeric=True),
            Column(name="kept"),
        ],
        rows=[
            [
                point.method,
                str(point.asked),
                ", ".join(f"{name} ({n}/{len(point.runs)})" for name, n in point.often()),
            ]
            for point in of_method(part.points, OURS)
            if point.asked < point.before
        ],
    )


def _stability(part: BudgetPart) -> Table:
    rows = []
    for point in part.stable:
        values = [run.value for run in point.runs]
        rows.append(
            [
                point.method,
                str(point.asked),
                str(len(values)),
                f"{point.mean:.4f}",
                _number(point.spread),
                f"{min(values):.4f}",
                f"{max(values):.4f}",
                ", ".join(
                    f"{n}: {m:.1f} ± {_number(s, '.1f')}" for n, (m, s) in point.layers().items()
                ),
            ]
        )
    heads = ("seeds", "mean", "standard deviation", "smallest", "largest")
    return Table(
        title=f"Stability over seeds, {part.unit}",
        columns=[
            Column(name="method"),
            Column(name=f"{part.unit} asked", numeric=True),
            *(Column(name=head, numeric=True) for head in heads),
            Column(name="nodes of each layer"),
        ],
        rows=rows,
    )

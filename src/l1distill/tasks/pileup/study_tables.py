"""Tables of the study of pileup: resolutions, weights, sizes and times, beside published ones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from l1distill.reporting.tables import Column, Table
from l1distill.tasks.pileup.evaluation import JETS, PTMISS, PUPPI, STUDENT, TEACHER, TITLES
from l1distill.tasks.pileup.plots import METHODS
from l1distill.tasks.pileup.study_runs import (
    FIXED,
    FLOAT,
    PUBLISHED_RATIOS,
    Model,
    ratio_of_seeds,
)

_PUBLISHED_ACCURACY = {"PUPPI": "96.6%", FLOAT: "98.9%", FIXED: "97.7%"}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network is.

    Attributes:
        title: which one.
        parameters: trained ones.
        operations: floating-point operations of an event [M].
        published: parameters and operations of table 2; empty where it has none.
    """

    title: str
    parameters: float
    operations: float
    published: tuple[str, str] = ("", "")


def number(value: float, spec: str = ".4f") -> str:
    """Return a number, or a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:{spec}}"


def resolutions(models: Sequence[Model], quantity: str) -> Table:
    """Return resolution, median and corrected resolution of every method."""
    teacher = models[0]

    def row(title: str, of: Model, name: str) -> list[str]:
        def cell(kind: str, spec: str = ".4f") -> str:
            metric = f"{quantity}/{name}"
            value, error = of.mean(f"{kind}/{metric}"), of.mean(f"{kind}_error/{metric}")
            return f"{number(value, spec)} ± {number(error)}"

        to_puppi = f"ratio_to_puppi/{quantity}/{name}"
        ratio, error = of.mean(to_puppi), of.mean(to_puppi.replace("puppi/", "puppi_error/", 1))
        is_model = name in (TEACHER, STUDENT)
        own = of.mean(f"corrected/{quantity}/{name}") / of.mean(f"corrected/{quantity}/{PUPPI}")
        return [
            title,
            cell("resolution"),
            cell("bias", "+.4f"),
            cell("corrected"),
            f"{number(ratio, '.3f')} ± {number(error, '.3f')}" if is_model else "",
            number(of.spread(to_puppi), ".3f") if is_model else "",
            number(own, ".3f"),
            PUBLISHED_RATIOS[quantity].get(title, ""),
        ]

    rows = [row(words, teacher, name) for name, (words, _) in METHODS.items()]
    rows += [row(_with_seeds(model), model, model.name) for model in models]
    for cells, model in zip(rows[len(METHODS) :], models, strict=True):
        cells[-1] = PUBLISHED_RATIOS[quantity].get(model.title, "")
    return Table(
        title=f"{TITLES[quantity]}: resolution of each method",
        columns=(
            Column(name="weights"),
            Column(name="resolution", numeric=True),
            Column(name="median response", numeric=True),
            Column(name="corrected", numeric=True),
            Column(name="over PUPPI", numeric=True),
            Column(name="spread of seeds", numeric=True),
            Column(name="corrected over PUPPI", numeric=True),
            Column(name="published over PUPPI", numeric=True),
        ),
        rows=rows,
        notes=(
            "Half the distance of the quartiles of (X - X_gen) / X_gen; corrected: divided by one "
            "plus the median, since a low scale makes the resolution alone look good. Means over "
            "seeds; errors are of a bootstrap over test events, which all seeds share, and leave "
            "out of a ratio what both have in common.",
        ),
    )


def _with_seeds(model: Model) -> str:
    count = len(model.runs)
    return f"{model.title} ({count} seed{'s' if count > 1 else ''})"


def similarity(models: Sequence[Model]) -> Table | None:
    """Return how alike histograms of weights are to the teacher's; None without a student."""
    students = [model for model in models if model.name == STUDENT]
    if not students:
        return None
    chosen = [("PUPPI", PUPPI, students[0]), *((one.title, STUDENT, one) for one in students)]
    rows = [
        [
            title,
            number(of.mean(f"histogram_overlap/{name}"), ".3f"),
            number(of.mean(f"accuracy/{name}"), ".3f"),
            _PUBLISHED_ACCURACY.get(title, ""),
        ]
        for title, name, of in chosen
    ]
    return Table(
        title="Weights beside the teacher's",
        columns=(
            Column(name="weights"),
            Column(name="overlap of histograms", numeric=True),
            Column(name="mean ratio of bins", numeric=True),
            Column(name="published accuracy", numeric=True),
        ),
        rows=rows,
        notes=(
            "The published accuracy is the mean ratio of bins, whose number the paper leaves open; "
            "above 1 there are too many. The overlap takes the smaller over the larger.",
        ),
    )


def costs(found: Sequence[Cost]) -> Table:
    """Return parameters and operations beside table 2."""
    return Table(
        title="Parameters and operations (table 2)",
        columns=(
            Column(name="network"),
            Column(name="parameters", numeric=True),
            Column(name="published", numeric=True),
            Column(name="MFLOP, 9,000 particles", numeric=True),
            Column(name="published", numeric=True),
        ),
        rows=[
            [
                one.title,
                f"{one.parameters:,.0f}",
                one.published[0],
                f"{one.operations:,.0f}",
                one.published[1],
            ]
            for one in found
        ],
        notes=(
            "Operations of graph networks are without the search for neighbors, which a tree does; "
            "the published count has 18 for each of 9,000 x 9,000 pairs, 1,458 MFLOP. The code "
            "that was published, and its checkpoint, have 110,789 parameters where table 2 says "
            "270k. A student's are those of dense layers, zeros included.",
        ),
    )


def times(found: Mapping[str, Sequence[float]], sizes: Sequence[int], particles: float) -> Table:
    """Return the CPU time of an event against the events of a batch (figure 5)."""
    return Table(
        title="CPU time of an event [ms] against events of a batch (figure 5)",
        columns=(Column(name="weights"), *(Column(name=str(size), numeric=True) for size in sizes)),
        rows=[[name, *(f"{1e3 * value:.1f}" for value in row)] for name, row in found.items()],
        notes=(
            f"One thread, {particles:,.0f} particles an event; features and neighbors included, "
            "and for students what their inputs need beside the PUPPI weight, whose time is a row "
            "of its own. The published teacher takes 3 s for an event of 9,000 padded particles.",
        ),
    )


def verdicts(models: Sequence[Model]) -> list[str]:
    """Return what was to be shown, and whether it was, a sentence each."""
    by_title = {model.title: model for model in models}
    sentences = []

    def say(what: str, value: float, spread: float, limit: float, *, below: bool = False) -> None:
        if math.isnan(value):
            return
        held = value < limit if below else value <= limit
        bound = f"below {limit:g}" if below else f"at most {limit:.2f}"
        error = "" if math.isnan(spread) else f" ± {spread:.3f} over seeds"
        sentences.append(
            f"{what}: {value:.3f}{error}, to be {bound}: {'reached' if held else 'NOT reached'}."
        )

    for title, quantity, limit in (
        (TEACHER, PTMISS, 0.90),
        (TEACHER, JETS, 0.90),
        (FLOAT, PTMISS, 0.90),
        (FLOAT, JETS, 1.0),
    ):
        if title in by_title:
            model = by_title[title]
            metric = f"ratio_to_puppi/{quantity}/{model.name}"
            what = f"{TITLES[quantity]}, {title} over PUPPI"
            say(what, model.mean(metric), model.spread(metric), limit, below=limit == 1.0)
    if FLOAT in by_title:
        metric = f"ratio_to_teacher/{PTMISS}/{STUDENT}"
        model = by_title[FLOAT]
        say("Missing pT, student over teacher", model.mean(metric), model.spread(metric), 1.10)
    if FLOAT in by_title and FIXED in by_title:
        for quantity, title in TITLES.items():
            metric = f"resolution/{quantity}/{STUDENT}"
            value = ratio_of_seeds(by_title[FIXED], by_title[FLOAT], metric, metric)
            say(f"{title}, 8-bit student over the one in floating point", *value, 1.10)
    return sentences

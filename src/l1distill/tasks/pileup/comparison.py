"""Tables of teacher and student beside methods without training."""

from collections.abc import Mapping

from l1distill.reporting.tables import Column, Table
from l1distill.tasks.pileup.evaluation import PUPPI, STUDENT, TEACHER, TITLES
from l1distill.tasks.pileup.plots import METHODS


def tables(student: Mapping[str, float]) -> list[Table]:
    """Return a table of each quantity, from the metrics of a student."""
    return [_table(quantity, title, student) for quantity, title in TITLES.items()]


def _table(quantity: str, title: str, metrics: Mapping[str, float]) -> Table:
    words = {**{name: look[0] for name, look in METHODS.items()}, TEACHER: TEACHER}
    words[STUDENT] = STUDENT

    def cell(kind: str, name: str, sign: str = "") -> str:
        value = metrics.get(f"{kind}/{quantity}/{name}")
        if value is None:
            return "-"
        error = metrics.get(f"{kind}_error/{quantity}/{name}", 0.0)
        return f"{value:{sign}.4f} ± {error:.4f}"

    return Table(
        title=f"{title}: teacher against student",
        columns=(
            Column(name="weights"),
            Column(name="resolution", numeric=True),
            Column(name="median response", numeric=True),
            Column(name="resolution, corrected", numeric=True),
            Column(name="resolution / PUPPI", numeric=True),
        ),
        rows=[
            [
                word,
                cell("resolution", name),
                cell("bias", name, "+"),
                cell("corrected", name),
                "1" if name == PUPPI else cell("ratio_to_puppi", name),
            ]
            for name, word in words.items()
        ],
        notes=(
            "Half the distance of the quartiles of (X - X_gen) / X_gen, on all events of the test "
            "sample; corrected: divided by one plus the median. Errors are of a bootstrap over "
            "events; those of a ratio leave out what both have in common.",
        ),
    )

"""The table of a sweep that sets each combination beside the first one, signal by signal."""

from collections.abc import Mapping

from l1distill.evaluation.ranking import SignalDifference
from l1distill.reporting.tables import Column, Table


def differences_table(
    differences: Mapping[str, Mapping[str, SignalDifference]], first: str
) -> Table | None:
    """Return the table; None where there is nothing to compare.

    Args:
        differences: by combination and signal.
        first: the combination that the others are compared with.
    """
    if not differences:
        return None
    signals = list(next(iter(differences.values())))
    return Table(
        title=f"AUC less that of {first}",
        lead="Of each signal, mean over the seeds that both have ± its standard error: of the test "
        "events, which all share (DeLong), and of the seeds (the spread of the differences of one "
        "seed, with Student's t).",
        columns=[
            Column(name="combination"),
            Column(name="seeds", numeric=True),
            *(Column(name=signal, numeric=True) for signal in signals),
        ],
        rows=[
            [
                name,
                str(next(iter(of.values())).seeds),
                *(f"{of[signal].auc:+.4f} ± {of[signal].error:.4f}" for signal in signals),
            ]
            for name, of in differences.items()
        ],
    )

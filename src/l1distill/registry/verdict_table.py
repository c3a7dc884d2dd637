"""Print a decision: the verdicts of the gates as a table, and what became of the candidate."""

from l1distill.core.terminal import console
from l1distill.registry.decision import Decision, Outcome
from l1distill.registry.version_tags import value_of

_COLUMNS = {
    "gate": "left",
    "metric": "left",
    "value [68%]": "right",
    "bound": "left",
    "margin": "right",
    "verdict": "left",
}


def print_decision(decision: Decision, candidate: str, reason: str) -> None:
    """Print a table of all gates and what became of the candidate.

    Args:
        decision: with the verdict of each gate.
        candidate: what it is called.
        reason: why it became that.
    """
    from rich.table import Table

    table = Table(title=candidate, title_justify="left")
    for column, justify in _COLUMNS.items():
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for verdict in decision.verdicts:
        note = f": {verdict.reason}" if verdict.reason else ""
        table.add_row(
            verdict.gate,
            verdict.metric,
            "—" if verdict.value is None else value_of(verdict),
            verdict.threshold,
            "—" if verdict.margin is None else f"{verdict.margin:.4g}",
            f"[green]passed[/]{note}" if verdict.passed else f"[red]refused[/]{note}",
        )
    console(log_width=140).print(table)
    becomes = {
        Outcome.CHAMPION: "is champion",
        Outcome.CHALLENGER: "is challenger, not promoted",
        Outcome.REFUSED: "is refused, not promoted",
        Outcome.CANDIDATE: "is a candidate, not promoted",
    }
    print(f"{candidate} {becomes[decision.outcome]}: {reason}")

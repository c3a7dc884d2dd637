"""Print the verdict of the gates as a table."""

import sys
from collections.abc import Sequence

from l1distill.registry.gates import Verdict


def print_verdict(verdicts: Sequence[Verdict], candidate: str, passed: bool) -> None:
    """Print a table of all gates, why any of them failed, and the verdict on the whole."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=candidate, title_justify="left")
    for column, justify in (
        ("gate", "left"),
        ("metric", "left"),
        ("value", "right"),
        ("threshold", "left"),
        ("verdict", "left"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for verdict in verdicts:
        table.add_row(
            verdict.gate,
            verdict.metric,
            "—" if verdict.value is None else f"{verdict.value:.4g}",
            verdict.threshold,
            "[green]passed[/]" if verdict.passed else f"[red]refused[/]: {verdict.reason}",
        )
    # A log has no width of its own, and a wrapped table is no table.
    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print(table)
    failed = sum(not verdict.passed for verdict in verdicts)
    refused = f"is refused: {failed} of {len(verdicts)} gates failed"
    print(f"{candidate} {'is champion' if passed else refused}")

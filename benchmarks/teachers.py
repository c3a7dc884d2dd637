"""Teachers beside the trivial scores: AUC on each signal, mean and spread over the seeds.

Train them, each seed into a folder of its own, then compare what is there::

    l1distill teacher teacher=autoregressive_ht seed=0 output=outputs/teachers/ht_0
    python benchmarks/teachers.py outputs/teachers
"""

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from recording import arguments, show
from rich.table import Table

from l1distill.artifacts.record import Record, read_metrics
from l1distill.core.errors import L1DistillError

BEST = "trivial/best/auc/"
Aucs = Mapping[str, float]
"""Signal to AUC."""


def main() -> int:
    """Print the table."""
    if len(arguments()) != 1:
        print("python benchmarks/teachers.py FOLDER: of trained teachers", file=sys.stderr)
        return 2
    folder = Path(arguments()[0])
    runs: dict[str, list[Aucs]] = defaultdict(list)
    try:
        teachers = [
            (Record.read(path.parent), read_metrics(path.parent))
            for path in sorted(folder.glob("*/record.json"))
        ]
    except L1DistillError as failure:
        print(failure, file=sys.stderr)
        return 2
    data = {record.dataset_md5 for record, _ in teachers}
    if len(data) != 1:
        print(
            f"{folder}: teachers of {len(data)} data sets; name a folder with teachers of one",
            file=sys.stderr,
        )
        return 2
    for record, metrics in teachers:
        for name, answer in _answers(record, metrics).items():
            runs[name].append(_aucs(metrics, f"{answer}/auc/"))
    best = _aucs(metrics, BEST)  # those of the data set, the same of each teacher
    table = Table("score", "seeds", *best, "mean")
    table.add_row("best trivial score", "", *_cells([best]))
    for name, of_seeds in sorted(runs.items()):
        table.add_row(name, str(len(of_seeds)), *_cells(of_seeds))
    errors = _aucs(metrics, "auc_error/")
    notes = [
        f"Data set MD5 {data.pop()[:12]}. Behind ± the standard deviation over the seeds.",
        "Standard errors of the test events, common to all seeds: "
        + ", ".join(f"{signal} {errors[signal]:.4f}" for signal in best)
        + ".",
        f"Loss on the validation split of the background: {_losses(teachers)}.",
    ]
    show("teachers", table, notes)
    return 0


def _losses(teachers: Sequence[tuple[Record, Mapping[str, float]]]) -> str:
    """Return the validation losses of teachers of each kind, of an ensemble that of all members."""
    found: dict[str, list[str]] = defaultdict(list)
    for record, metrics in teachers:
        loss = metrics.get("ensemble_validation_loss", metrics["best_validation_loss"])
        found[_kind(record)].append(f"{loss:.4f}")
    return "; ".join(f"{kind} {', '.join(losses)}" for kind, losses in sorted(found.items()))


def _kind(record: Record) -> str:
    """Return what the table calls a kind of teachers."""
    section = record.nested("teacher")
    members, presence = section.get("members", 1), section.get("presence", 0.0)
    name = str(section["architecture"]) + (f" x {members}" if members > 1 else "")
    return name + (f" with presence {presence:g}" if presence else "")


def _answers(record: Record, metrics: Mapping[str, float]) -> dict[str, str]:
    """Return the answers of a teacher by what the table calls them."""
    section = record.nested("teacher")
    answers = {name.split("/")[0] for name in metrics if "/auc/" in name} - {"trivial"}
    density = {"nll": f", density in {section.get('density')}"}
    return {f"{_kind(record)}, {one}{density.get(one, '')}": one for one in answers}


def _aucs(metrics: Mapping[str, float], prefix: str) -> Aucs:
    return {
        name.removeprefix(prefix): value
        for name, value in metrics.items()
        if name.startswith(prefix)
    }


def _cells(of_seeds: Sequence[Aucs]) -> list[str]:
    """Return mean and spread of each signal, and of the mean over the signals."""
    values = np.array([list(aucs.values()) for aucs in of_seeds])
    values = np.column_stack([values, values.mean(axis=1)])
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else [None] * values.shape[1]
    return [
        f"{mean:.4f}" + (f" ± {sd:.4f}" if sd is not None else "")
        for mean, sd in zip(values.mean(axis=0), spread, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())

"""Teachers beside the trivial scores: AUC on each signal, mean and spread over the seeds.

Train them, each seed into a folder of its own, then compare what is there::

    l1distill teacher teacher=autoregressive_ht seed=0 output=outputs/teachers/ht_0
    python benchmarks/teachers.py outputs/teachers
"""

import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from recording import arguments, show
from rich.table import Table

from l1distill.artifacts.record import Record, read_metrics
from l1distill.core.errors import L1DistillError
from l1distill.tasks.anomaly.settings import AnomalyTeacherSettings

AUC = "trivial/best/auc/"


def main() -> int:
    """Print the table."""
    if len(arguments()) != 1:
        print("python benchmarks/teachers.py FOLDER: of trained teachers", file=sys.stderr)
        return 2
    runs: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    data = set()
    try:
        for path in sorted(Path(arguments()[0]).glob("*/record.json")):
            record = Record.read(path.parent)
            data.add(record.dataset_md5)
            section = record.nested("teacher")
            settings = AnomalyTeacherSettings.chosen_by(section).model_validate(section)
            metrics = read_metrics(path.parent)
            answers = [name.split("/")[0] for name in metrics if "/auc/" in name]
            for answer in dict.fromkeys(answers):
                if answer != "trivial":
                    density = f", density in {section['density']}" if answer == "nll" else ""
                    runs[f"{settings.architecture}, {answer}{density}"].append(
                        {signal: metrics[f"{answer}/auc/{signal}"] for signal in _signals(metrics)}
                    )
            best = {signal: metrics[AUC + signal] for signal in _signals(metrics)}
            error = {signal: metrics[f"auc_error/{signal}"] for signal in _signals(metrics)}
    except L1DistillError as failure:
        print(failure, file=sys.stderr)
        return 2
    if len(data) != 1:
        print(
            f"{arguments()[0]}: teachers of {len(data)} data sets; name a folder with teachers of "
            "one",
            file=sys.stderr,
        )
        return 2
    table = Table("score", "seeds", *best, "mean")
    table.add_row("best trivial score", "", *_cells([best]))
    for name, of_seeds in sorted(runs.items()):
        table.add_row(name, str(len(of_seeds)), *_cells(of_seeds))
    notes = [
        f"Data set MD5 {data.pop()[:12]}. Behind ± the standard deviation over the seeds.",
        "Standard errors of the test events, common to all seeds: "
        + ", ".join(f"{signal} {value:.4f}" for signal, value in error.items())
        + ".",
    ]
    show("teachers", table, notes)
    return 0


def _signals(metrics: Mapping[str, float]) -> list[str]:
    return [name.removeprefix(AUC) for name in metrics if name.startswith(AUC)]


def _cells(of_seeds: list[Mapping[str, float]]) -> list[str]:
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

"""How to put likelihood and HT together, chosen without a signal, and what that does to signals.

Takes a trained teacher ``autoregressive_ht``, with one member or several. Pseudo-events of the
validation split are told from that split; the AUCs of the signals stand beside what they would
choose, and beside what the teacher hands on::

    python benchmarks/teacher_ranks.py outputs/teachers/ht_x3 data/standard
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recording import arguments, show
from rich.table import Table

WEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
POWERS = (1, 2, 4, 8)
SEED = 2026
Scores = NDArray[np.floating[Any]]
Combine = Callable[[Scores, Scores], Scores]
"""From the rank of the likelihood and that of HT to a score."""


def combinations() -> dict[str, Combine]:
    """Return ways to combine two ranks, by what the table calls them."""
    ways: dict[str, Combine] = {"likelihood alone": lambda nll, _: nll}
    ways["HT alone"] = lambda _, ht: ht
    for weight in WEIGHTS:
        ways[f"larger of likelihood and {weight:g} HT"] = lambda nll, ht, w=weight: np.maximum(  # type: ignore[misc]
            nll, w * ht
        )
    for power in POWERS:
        ways[f"sum of powers of {power}"] = lambda nll, ht, p=power: (nll**p + ht**p) ** (1.0 / p)  # type: ignore[misc]
    return ways


def main() -> int:
    """Print the table."""
    if len(arguments()) != 2:
        print("python benchmarks/teacher_ranks.py TEACHER DATA", file=sys.stderr)
        return 2
    from l1distill.artifacts.folders import TeacherFolder
    from l1distill.artifacts.record import Record
    from l1distill.data.splits import Split
    from l1distill.distillation.teacher import CalibratedTeacher
    from l1distill.evaluation.roc import separation
    from l1distill.evaluation.trivial import rank_score
    from l1distill.models import keras_files
    from l1distill.stages.recorded_teacher import teacher_settings
    from l1distill.tasks.anomaly.augmentation import PseudoEventSettings, pseudo_events
    from l1distill.tasks.anomaly.autoregressive import BACKGROUND
    from l1distill.tasks.anomaly.task import TASK
    from l1distill.tasks.anomaly.trivial_scores import ht

    folder, data = (Path(word) for word in arguments())
    record = Record.read(folder)
    teacher = TASK.teacher(teacher_settings(TASK, record), folder)
    assert isinstance(teacher, CalibratedTeacher)
    network = keras_files.load(TeacherFolder(folder).model)
    of_nll, of_ht = network.get_layer(BACKGROUND).sample()
    dataset = TASK.open(data)
    validation = dataset.training.part(Split.VALIDATION).astype(np.float32)
    rng = np.random.default_rng(SEED)
    made = pseudo_events(validation, len(validation), PseudoEventSettings(), rng)
    signals = [name for name in dataset.names if name != dataset.training_sample]
    items = {
        name: dataset.sample(name).items.values[dataset.evaluation_rows(name)]
        for name in dataset.names
    }

    def ranks(events: NDArray[Any]) -> tuple[Scores, Scores]:
        nll = teacher.answers(network, events)["nll"]
        return rank_score(nll, of_nll), rank_score(ht(events), of_ht)

    known, anomalous = ranks(validation), ranks(made)
    of_pseudo = {
        name: separation(combine(*known), combine(*anomalous)).auc
        for name, combine in combinations().items()
    }
    chosen, second, *_ = sorted(of_pseudo, key=lambda name: -of_pseudo[name])
    handed_on = "larger of likelihood and 1 HT"
    tested: Mapping[str, tuple[Scores, Scores]] = {n: ranks(events) for n, events in items.items()}
    table = Table("score", "pseudo-events", *signals)
    for name, auc in sorted(of_pseudo.items(), key=lambda pair: -pair[1]):
        cells = ["" for _ in signals]
        if name in (chosen, second, handed_on):
            combine = combinations()[name]
            background = combine(*tested[dataset.training_sample])
            cells = [f"{separation(background, combine(*tested[s])).auc:.4f}" for s in signals]
        table.add_row(name, f"{auc:.4f}", *cells)
    show(
        "teacher_ranks",
        table,
        [
            f"Pseudo-events choose: {chosen}. The test events were asked for that row, for the one "
            "behind it and for the score that the teacher hands on alone."
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

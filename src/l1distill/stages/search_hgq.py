"""search strategy=hgq: one training walks the front, as the bits of a network become dearer.

After each epoch in which bits are learned stands a candidate: the student that the training would
leave there, with its loss and what its firmware would cost. Finalists are trained anew to the price
that a bit operation had then.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l1distill.core.errors import ConfigError
from l1distill.core.workspace import read_json, write_json, write_text
from l1distill.distillation.hgq import TrainedHgq, train_hgq
from l1distill.evaluation.curves import write_csv
from l1distill.evaluation.searches import CPU_S
from l1distill.firmware.cost import estimate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.models import keras_files
from l1distill.models.hgq_student import HgqSettings
from l1distill.reporting.pictures import write_captions
from l1distill.reporting.plots.search import draw_front
from l1distill.search.halving import evenly, non_dominated
from l1distill.search.problem import Problem
from l1distill.search.worker import STAGE_NS
from l1distill.stages.search_finalists import FOLDER, Finalist, log_finalist, write_finalists
from l1distill.stages.stage import Context, Result
from l1distill.training.checkpoint import file_of_part

if TYPE_CHECKING:
    from tensorflow import keras

    from l1distill.stages.search import Settings

Row = Mapping[str, float]
_LOSS, _LUT, _CYCLES = "loss", "lut_estimate", "latency_cycles_estimate"


def check_hgq_search(settings: "Settings") -> None:
    """Refuse what a walk with learned bits cannot do.

    Raises:
        ConfigError: the line names the key.
    """
    if not isinstance(settings.student, HgqSettings):
        raise ConfigError(
            "strategy=hgq: learns the bits of one network; set student=hgq, or take strategy=co"
        )
    if settings.promote:
        raise ConfigError(
            "promote=true: strategy=hgq promotes nothing; choose a price from front.csv, then run "
            "l1distill pipeline student=hgq student.beta=..."
        )


class Walk:
    """The candidates of one training.

    Attributes:
        rows: of the snapshots by their epochs.
    """

    def __init__(self, settings: "Settings", problem: Problem, checkpoint: Path) -> None:
        """Take up what an interrupted walk has left.

        Args:
            settings: of the stage.
            problem: what candidates learn and are judged by.
            checkpoint: file of this search that keeps the state of a training; rows are beside it.
        """
        assert isinstance(settings.student, HgqSettings)
        self._settings, self._student, self._problem = settings, settings.student, problem
        self._checkpoint, self._file = checkpoint, checkpoint.with_suffix(".json")
        known = read_json(self._file) if self._file.is_file() else {}
        self.rows: dict[int, Row] = {int(epochs): row for epochs, row in known.items()}
        # as many as were asked for, evenly, and the last
        last = self._student.frozen_from
        asked = min(settings.search.candidates, last)
        self._due = {round(last * (one + 1) / asked) for one in range(asked)}

    def go(self, context: Context) -> None:
        """Train, and keep a row of each snapshot."""
        before = max((row.get(CPU_S, 0.0) for row in self.rows.values()), default=0.0)
        start = time.process_time()

        def keep(epochs: int, beta: float, model: "keras.Model") -> None:
            if epochs in self._due and epochs not in self.rows:
                spent = before + time.process_time() - start
                self.rows[epochs] = {"beta": beta, CPU_S: spent, **self._judge(model)}
                write_json(self._file, {str(number): row for number, row in self.rows.items()})

        seed = self._settings.seed
        self._train(context, "search", self._student, seed, self._checkpoint, keep)

    def finalist(self, context: Context, epochs: int, seed: int) -> tuple[TrainedHgq, Row]:
        """Train a candidate anew, to the price that a bit had, and judge it."""
        name = f"{epochs}-seed{seed}"
        file, student = file_of_part(self._checkpoint, name), self.settings_of(epochs)
        trained = self._train(context, f"finalist {name}", student, seed, file)
        return trained, self._judge(trained.model)

    def settings_of(self, epochs: int) -> HgqSettings:
        """Return how a candidate is trained anew."""
        return self._student.model_copy(update={"beta": self.rows[epochs]["beta"]})

    def front(self) -> list[int]:
        """Return the candidates that no other is better than in loss, LUTs and cycles."""
        numbers = sorted(self.rows)
        points = [[self.rows[n][key] for key in (_LOSS, _LUT, _CYCLES)] for n in numbers]
        return [n for n, best in zip(numbers, non_dominated(points), strict=True) if best]

    def finalists(self) -> list[int]:
        """Return candidates spread over the front, that with the least loss first."""
        front = sorted(self.front(), key=lambda n: self.rows[n][_LOSS])
        return evenly(front, self._settings.search.finalists)

    def _train(
        self,
        context: Context,
        title: str,
        student: HgqSettings,
        seed: int,
        checkpoint: Path | None,
        on_snapshot: Any = None,
    ) -> TrainedHgq:
        logged = on_snapshot is not None
        with context.epochs(title, student.training.epochs, logged=logged) as on_epoch:
            return train_hgq(
                self._problem.train,
                self._problem.validation,
                student,
                self._settings.distillation,
                self._settings.compression,
                input_exponents=self._problem.exponents,
                seed=seed,
                on_epoch=on_epoch,
                checkpoint=checkpoint,
                on_snapshot=on_snapshot,
            )

    def _judge(self, model: "keras.Model") -> Row:
        def ask(features: Any) -> Any:
            return model.predict(features, batch_size=2**14, verbose=0)

        features = self._problem.validation.features
        cost = estimate(from_qkeras(model), STAGE_NS)
        answers = {name: ask(part[0]) for name, part in self._problem.samples.items()}
        row = {
            _LOSS: self._problem.validation_loss(ask(features)),
            _LUT: cost.lut_estimate,
            _CYCLES: cost.latency_cycles_estimate,
            "bit_operations": cost.bit_operations,
            **self._problem.metrics(answers),
        }
        return {key: float(value) for key, value in row.items()}


def walk_front(
    settings: "Settings", context: Context, problem: Problem, sample: str, md5: str
) -> Result:
    """Walk the front, train finalists anew, and write tables, networks and the picture.

    Args:
        settings: of the stage.
        context: of the stage.
        problem: what candidates learn and are judged by.
        sample: whose distance to the teacher is told of the best.
        md5: of the data set.
    """
    walk = Walk(settings, problem, context.checkpoint)
    try:
        walk.go(context)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("run again to continue this training") from None
    front, folder = walk.front(), context.folder
    _write(walk, sorted(walk.rows), folder / "candidates.csv")
    _write(walk, front, folder / "front.csv")
    points = {n: (walk.rows[n][_LUT], walk.rows[n][_LOSS]) for n in sorted(walk.rows)}
    write_captions([draw_front(list(points.values()), [points[n] for n in front], folder)], folder)
    trained = _finalists(walk, settings, context)
    best = min(walk.rows.values(), key=lambda row: row[_LOSS])
    metrics = {
        "search/candidates": float(len(walk.rows)),
        "search/front": float(len(front)),
        "search/finalists": float(len(trained)),
        "search/best_validation_loss": best[_LOSS],
        "search/best_mse_to_teacher": best[f"mse_to_teacher/{sample}"],
    }
    cheapest, dearest = (f(walk.rows[n][_LUT] for n in front) for f in (min, max))
    asked = settings.search.candidates
    few = (
        f" ({asked} asked for; bits are learned in no more epochs)"
        if asked > len(walk.rows)
        else ""
    )
    note = (
        f"{len(walk.rows)} candidates of one training{few}, {len(front)} on the front, from about "
        f"{cheapest:.0f} to {dearest:.0f} LUT."
    )
    print(f"search: {note}", file=sys.stderr)
    headline = ("search/candidates", "search/best_mse_to_teacher")
    return Result(
        metrics=metrics,
        headline=headline,
        dataset_md5=md5,
        note=note,
        tracking_share="search/tracking_share",
    )


def _finalists(walk: Walk, settings: "Settings", context: Context) -> list[Finalist]:
    folder = context.folder / FOLDER
    folder.mkdir()
    seeds = range(settings.seed, settings.seed + settings.search.seeds)
    trained = []
    for epochs in walk.finalists():
        section = {
            "defaults": [{"override /student": "hgq"}],
            "student": walk.settings_of(epochs).model_dump(mode="json"),
        }
        text = json.dumps(section, indent=2)
        head = "# @package _global_\n# A finalist of l1distill search strategy=hgq\n"
        write_text(folder / f"{epochs}.yaml", f"{head}{text}\n")
        for seed in seeds:
            student, row = walk.finalist(context, epochs, seed)
            one = Finalist(number=epochs, seed=seed, metrics=row)
            keras_files.save(student.model, folder / f"{one.name}.h5")
            log_finalist(context, one, {"student.beta": walk.settings_of(epochs).beta})
            trained.append(one)
    if trained:
        write_finalists(trained, context.folder)
    return trained


def _write(walk: Walk, numbers: Sequence[int], path: Path) -> None:
    names = [*next(iter(walk.rows.values()))]
    write_csv(
        path,
        ("candidate", "epochs", *names),
        ([n, n, *(walk.rows[n][name] for name in names)] for n in numbers),
    )

"""Finalists of a search: trained anew as students are, with several seeds, each of them once."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from l1distill.compression.pruning import PruningSettings
from l1distill.core.workspace import write_text
from l1distill.data.encoding import InputEncoding
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import train_student
from l1distill.evaluation.curves import write_csv, write_curve
from l1distill.evaluation.roc import separations, to_curve
from l1distill.firmware.cost import estimate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.models import keras_files
from l1distill.models.mlp import StudentSettings
from l1distill.search.candidate import Candidate
from l1distill.search.plan import Course
from l1distill.search.problem import Problem
from l1distill.search.store import Store
from l1distill.search.worker import STAGE_NS
from l1distill.stages.offline_lesson import Lesson
from l1distill.stages.stage import Context

if TYPE_CHECKING:
    from l1distill.stages.search import Settings

FOLDER, CURVES = "finalists", "curves"
STAGE = "finalist"
"""Tag of the runs of finalists, in place of a stage."""
_BATCH = 4096


@dataclass(frozen=True, kw_only=True)
class Finalist:
    """A candidate that was trained anew.

    Attributes:
        number: of the candidate.
        seed: of its training.
        metrics: what came out.
    """

    number: int
    seed: int
    metrics: Mapping[str, float]

    @property
    def name(self) -> str:
        """Of its files and its run."""
        return f"{self.number}-seed{self.seed}"


class Finalists:
    """Trains finalists, and remembers in the database of the search which it has trained."""

    def __init__(
        self,
        settings: "Settings",
        context: Context,
        store: Store,
        problem: Problem,
        encoding: InputEncoding,
        lesson: Lesson,
    ) -> None:
        """Take what they learn.

        Args:
            settings: of the stage.
            context: of the stage.
            store: of the search.
            problem: what they are judged by.
            encoding: of their inputs.
            lesson: what they learn.
        """
        self._settings, self._context, self._store = settings, context, store
        self._problem, self._encoding, self._lesson = problem, encoding, lesson
        self.trained: list[Finalist] = []

    def train(self, course: Course) -> bool:
        """Train those that were not trained yet as ``l1distill student`` does, and judge them.

        Writes ``finalists/<candidate>-seed<seed>.h5`` and an experiment file for each candidate.

        Returns:
            Whether all are trained; not where Ctrl-C ended it.
        """
        folder, search = self._context.folder / FOLDER, self._settings.search
        folder.mkdir()
        seeds = range(self._settings.seed, self._settings.seed + search.seeds)
        try:
            for outcome in course.finalists(search.finalists):
                candidate = course.candidate(outcome.number)
                student, pruning, learning = of_finalist(self._settings, candidate)
                path = folder / f"{outcome.number}.yaml"
                _write_experiment(self._settings, student, pruning, learning, path)
                for seed in seeds:
                    metrics = self._one(outcome.number, student, pruning, learning, seed)
                    if metrics:
                        one = Finalist(number=outcome.number, seed=seed, metrics=metrics)
                        self.trained.append(one)
        except KeyboardInterrupt:
            print("search: interrupted; finalists that are trained are kept", file=sys.stderr)
            return False
        return True

    def _one(
        self,
        number: int,
        student: StudentSettings,
        pruning: PruningSettings,
        learning: DistillationSettings,
        seed: int,
    ) -> dict[str, float]:
        """Train one with a seed, unless it was; returns nothing where its loss is not finite."""
        name, path = f"{number}-seed{seed}", self._context.folder / FOLDER
        identity = _identity(student, pruning, learning, seed)
        known = self._store.finalist(identity)
        if known is not None:
            metrics, network = known
            (path / f"{name}.h5").write_bytes(network)
            return metrics
        problem = self._problem
        epochs = student.training.epochs
        with self._context.epochs(f"finalist {name}", epochs, logged=False) as on_epoch:
            try:
                trained = train_student(
                    self._lesson.train,
                    self._lesson.validation,
                    student,
                    learning,
                    pruning,
                    input_exponents=problem.exponents,
                    shape=self._encoding.feature_shape,
                    seed=seed,
                    on_epoch=on_epoch,
                    checkpoint=self._context.work / f"finalist-{identity[:16]}.npz",
                )
            except FloatingPointError:
                print(f"search: finalist {name}: its loss is not finite", file=sys.stderr)
                return {}
        keras_files.save(trained.model, path / f"{name}.h5")
        cost = estimate(from_qkeras(trained.model), STAGE_NS)
        answers = {
            sample: trained.predict(features) for sample, (features, _) in problem.samples.items()
        }
        held_out = trained.predict(problem.validation.features)
        metrics = {
            "best_validation_loss": problem.validation_loss(held_out),
            "sparsity": trained.sparsity,
            "cost/lut_estimate": cost.lut_estimate,
            "cost/latency_cycles_estimate": cost.latency_cycles_estimate,
            **problem.metrics(answers),
        }
        metrics = {key: float(value) for key, value in metrics.items()}
        self._store.keep_finalist(identity, metrics, (path / f"{name}.h5").read_bytes())
        return metrics

    def write(self) -> dict[str, float]:
        """Write ``finalists.csv``, and the ROC curves of the best and its teacher.

        Returns:
            ``search/finalists`` and, of the best of them by validation loss, its loss and cost.
        """
        metrics = {"search/finalists": float(len(self.trained))}
        if not self.trained:
            return metrics
        write_finalists(self.trained, self._context.folder)
        best = min(self.trained, key=lambda one: one.metrics["best_validation_loss"])
        self._write_curves(best)
        metrics["search/best_finalist_validation_loss"] = best.metrics["best_validation_loss"]
        metrics["search/best_finalist_lut_estimate"] = best.metrics["cost/lut_estimate"]
        return metrics

    def best(self) -> int | None:
        """Return the candidate whose students have the least validation loss in the mean."""
        losses: dict[int, list[float]] = {}
        for one in self.trained:
            losses.setdefault(one.number, []).append(one.metrics["best_validation_loss"])
        means = {number: float(np.mean(some)) for number, some in losses.items()}
        return min(means, key=lambda number: means[number], default=None)

    def log(self, course: Course) -> None:
        """Log each as a run below that of the search, with its parameters and metrics."""
        for one in self.trained:
            candidate = course.candidate(one.number)
            student, pruning, learning = of_finalist(self._settings, candidate)
            nested = {
                "student": student.model_dump(mode="json", exclude={"training"}),
                "compression": pruning.model_dump(mode="json"),
            }
            parameters = {
                "student.training.learning_rate": student.training.learning_rate,
                "distillation.loss": learning.loss,
                **{
                    f"{section}.{key}": value
                    for section, content in nested.items()
                    for key, value in content.items()
                },
            }
            log_finalist(self._context, one, parameters)

    def _write_curves(self, best: Finalist) -> None:
        """Write ``curves/{student,teacher}/<signal>.csv`` where answers are scores."""
        problem = self._problem
        if not problem.background:
            return
        model = keras_files.load(self._context.folder / FOLDER / f"{best.name}.h5")
        answers = {
            "student": {
                name: model.predict(features, batch_size=_BATCH, verbose=0)
                for name, (features, _) in problem.samples.items()
            },
            "teacher": {name: targets for name, (_, targets) in problem.samples.items()},
        }
        for who, by_sample in answers.items():
            scores = {name: values[:, 0] for name, values in by_sample.items()}
            background = scores.pop(problem.background)
            for signal, result in separations(background, scores).items():
                path = self._context.folder / CURVES / who / f"{signal}.csv"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_curve(to_curve(result.roc), path)


def log_finalist(context: Context, one: Finalist, parameters: Mapping[str, Any]) -> None:
    """Log a finalist as a run below that of the search.

    Args:
        context: of the stage.
        one: the finalist.
        parameters: how it was trained, beside its seed.
    """
    known_by = {"candidate": one.number, "seed": one.seed, **parameters}
    tags = {"stage": STAGE, "candidate": str(one.number)}
    context.run.log_child(f"finalist {one.name}", known_by, one.metrics, tags)


def write_finalists(trained: Sequence[Finalist], folder: Path) -> None:
    """Write ``finalists.csv`` into a folder, a row each."""
    names = [*trained[0].metrics]
    write_csv(
        folder / "finalists.csv",
        ("candidate", "seed", *names),
        ([one.number, one.seed, *(one.metrics[n] for n in names)] for one in trained),
    )


def of_finalist(
    settings: "Settings", candidate: Candidate
) -> tuple[StudentSettings, PruningSettings, DistillationSettings]:
    """Return how a finalist is trained: as long as a student, at its own rate and batch size."""
    assert isinstance(settings.compression, PruningSettings)
    own = {
        "learning_rate": candidate.student.training.learning_rate,
        "batch_size": settings.search.training.batch_size,
    }
    training = settings.student.training.model_copy(update=own)  # type: ignore[attr-defined]
    student = candidate.student.model_copy(update={"training": training})
    return (
        student,
        candidate.pruning(settings.compression),
        candidate.distillation(settings.distillation),
    )


def _identity(
    student: StudentSettings, pruning: PruningSettings, learning: DistillationSettings, seed: int
) -> str:
    """Return a hash of what decides a finalist, beside what decides the search."""
    parts: Sequence[Any] = (student, pruning, learning)
    content = json.dumps([*(one.model_dump(mode="json") for one in parts), seed], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _write_experiment(
    settings: "Settings",
    student: StudentSettings,
    pruning: PruningSettings,
    learning: DistillationSettings,
    path: Path,
) -> None:
    inputs = settings.student.inputs.model_dump(mode="json")
    content = {
        "defaults": [{"override /student": "mlp"}, {"override /compression": "pruning"}],
        "student": {**student.model_dump(mode="json"), "inputs": inputs},
        "compression": pruning.model_dump(mode="json"),
        "distillation": learning.model_dump(mode="json"),
    }
    text = yaml.safe_dump(content, sort_keys=False)
    write_text(path, f"# @package _global_\n# A finalist of l1distill search\n{text}")

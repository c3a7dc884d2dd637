"""Typed folders: the files that a stage leaves and the next one reads, each name in one place."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.artifacts.record import METRICS, read_metrics
from l1distill.compression.structure import KeptStructure
from l1distill.core.errors import DataError
from l1distill.core.workspace import read_json, write_json
from l1distill.data.encoding import InputEncoding
from l1distill.distillation.targets import TargetTransform
from l1distill.evaluation.evaluation import Curves, read_curves
from l1distill.firmware.files import SYNTHESIS_REPORT
from l1distill.registry.decision import Decision
from l1distill.reporting.pictures import Picture, read_captions
from l1distill.training.history import History

if TYPE_CHECKING:
    from l1distill.firmware.results.report import SynthesisReport

INPUTS = "inputs.json"
"""A student's input encoding, in its folder, in the bundle and in the registered model."""
STUDENT_MODEL = "student.h5"
SATURATION = "saturation.csv"
STRUCTURE = "structure.json"
SOFT_TARGET = "soft_target.json"
TEACHER_MODEL = "teacher.h5"
OWN_TEACHER_MODEL = "co_trained_teacher.h5"


@dataclass(frozen=True)
class StageFolder:
    """A folder that a stage writes.

    Attributes:
        path: where it is.
    """

    path: Path

    def metrics(self) -> dict[str, float]:
        """Read ``metrics.json``.

        Raises:
            DataError: it is missing, damaged, or a value is not a number.
        """
        return read_metrics(self.path)

    def write_metrics(self, metrics: Mapping[str, float]) -> None:
        """Write ``metrics.json``; NaN and infinity are refused."""
        write_json(self.path / METRICS, metrics)

    def pictures(self) -> list[Picture]:
        """Return the pictures that a report shows, in order."""
        return read_captions(self.path)


class ModelFolder(StageFolder):
    """A folder that holds a trained model, its history and its curves."""

    def write_history(self, history: History) -> None:
        """Write ``history.csv``."""
        history.write(self.path / "history.csv")

    def curves(self) -> Curves:
        """Read the curves of every family (``roc``)."""
        return read_curves(self.path)

    def write_encoding(self, encoding: InputEncoding) -> None:
        """Write ``inputs.json``."""
        encoding.write(self.path / INPUTS)

    def copy_constants(self, source: Path, names: Iterable[str]) -> None:
        """Copy the task's constants, measured on the training split, from another folder."""
        for name in names:
            shutil.copy(source / name, self.path / name)


class TeacherFolder(ModelFolder):
    """What ``l1distill teacher`` writes: the model, its answers to every item, its curves."""

    @property
    def model(self) -> Path:
        """File of the trained network; :mod:`l1distill.models.keras_files` reads and writes it."""
        return self.path / TEACHER_MODEL

    def write_answers(self, answers: Mapping[str, NDArray[Any]]) -> None:
        """Write the answers that students learn, (n,) or (n, outputs) for each sample."""
        (self.path / "scores").mkdir()
        for sample, values in answers.items():
            np.save(self._answers(sample), values)

    def answers(
        self, sample: str, items: int, check: Callable[[NDArray[Any]], str | None]
    ) -> NDArray[np.float32]:
        """Read the answers to a sample of ``items`` items.

        Args:
            sample: its name.
            items: how many items it has.
            check: says why answers cannot be learned; None if they can.

        Raises:
            DataError: they are missing, damaged, of another number of items, or not finite.
        """
        path = self._answers(sample)
        try:
            answers: NDArray[np.float32] = np.load(path)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: cannot be read ({error}); run teacher again") from error
        if answers.dtype.kind != "f" or not np.isfinite(answers).all():
            raise DataError(f"{path}: answers must be finite; run teacher again")
        if reason := check(answers):
            raise DataError(f"{path}: {reason}; run teacher again")
        if len(answers) != items:
            raise DataError(f"{path}: {len(answers)} answers for {items} items; run teacher again")
        return answers

    def _answers(self, sample: str) -> Path:
        return self.path / "scores" / f"{sample}.npy"


class StudentFolder(ModelFolder):
    """What ``l1distill student`` writes: the model, its input encoding, its target."""

    @property
    def model(self) -> Path:
        """File of the trained network; :mod:`l1distill.models.keras_files` reads and writes it."""
        return self.path / STUDENT_MODEL

    @property
    def own_teacher(self) -> Path:
        """File of the teacher that was trained with it, by co-training."""
        return self.path / OWN_TEACHER_MODEL

    @property
    def saturation(self) -> Path:
        """Table of what its inputs cut off, by sample and input."""
        return self.path / SATURATION

    @property
    def encoding(self) -> InputEncoding:
        """How raw items become its features."""
        return InputEncoding.read(self.path / INPUTS)

    @property
    def target(self) -> TargetTransform:
        """What its output was fitted to."""
        return TargetTransform.read(self.path / SOFT_TARGET)

    def write_structure(self, structure: KeptStructure) -> None:
        """Write ``structure.json``: the nodes and features that are left, where some went."""
        structure.write(self.path / STRUCTURE)

    def structure(self) -> KeptStructure | None:
        """Read ``structure.json``; None of a student that nothing was taken from.

        Raises:
            DataError: it is damaged.
        """
        path = self.path / STRUCTURE
        return KeptStructure.read(path) if path.is_file() else None

    def write_target(self, target: TargetTransform) -> None:
        """Write ``soft_target.json``."""
        target.write(self.path / SOFT_TARGET)


class FirmwareFolder(StageFolder):
    """What ``l1distill synthesize`` writes."""

    def report(self) -> "SynthesisReport":
        """Read the synthesis report.

        Raises:
            DataError: it is missing, damaged or incomplete.
        """
        from l1distill.firmware.results.report import SynthesisReport

        return SynthesisReport.load(self.path / SYNTHESIS_REPORT)


class PromotionFolder(StageFolder):
    """What ``l1distill promote`` writes: the verdict."""

    def write_verdict(self, decision: Decision, profile: str, model: str) -> None:
        """Write ``verdict.json``.

        Args:
            decision: what became of the student, with the verdict of each gate.
            profile: name of the set of gates.
            model: name of the registered model.
        """
        against = decision.against_champion
        content = {
            "passed": decision.passed,
            "outcome": decision.outcome.value,
            "reason": decision.reason,
            "model": model,
            "profile": profile,
            "gates": [asdict(verdict) for verdict in decision.verdicts],
            "comparison": None if against is None else asdict(against),
        }
        write_json(self.path / "verdict.json", content)

    def verdict(self) -> dict[str, Any]:
        """Read ``verdict.json``: ``passed``, ``outcome``, ``model`` and the ``gates``.

        Raises:
            DataError: it is missing or damaged.
        """
        return read_json(self.path / "verdict.json")

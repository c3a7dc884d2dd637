"""What candidates learn and are judged by, in a file that every worker reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.workspace import write_arrays
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import Examples
from l1distill.distillation.targets import TargetTransform
from l1distill.search.plan import Plan
from l1distill.search.steps import response_loss
from l1distill.search.trainer import Trainer

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """The items of a search.

    Attributes:
        train: features and targets to fit.
        validation: those that decide which candidates go on.
        samples: features and targets of the evaluation items of each sample.
        background: the sample that the scores of all others are compared with; empty where answers
            are no scores.
        target: how the teacher's answers became targets.
        distillation: the loss.
        exponents: see :func:`l1distill.distillation.student.train_student`.
    """

    train: Examples
    validation: Examples
    samples: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    background: str = ""
    target: TargetTransform = field(default_factory=lambda: TargetTransform(transform="identity"))
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    exponents: tuple[int, ...] = ()

    def trainer(self, plan: Plan) -> Trainer:
        """Return what trains the candidates of a search."""
        base = plan.base.model_copy(update={"training": plan.settings.training, "float_epochs": 0})
        return Trainer(
            self.train,
            self.validation,
            base,
            self.distillation,
            plan.pruning,
            input_exponents=self.exponents,
            knowledge=plan.settings.space.knowledge,
            seed=plan.seed,
        )

    def validation_loss(self, answers: Array) -> float:
        """Return the loss by which all candidates are judged, of answers to validation items."""
        import tensorflow as tf

        compare = response_loss(self.distillation)
        each = compare(tf.constant(self.validation.targets), tf.constant(answers))
        return float(tf.reduce_mean(each))

    def metrics(self, answers: Mapping[str, Array]) -> dict[str, float]:
        """Return ``mse_to_teacher/<sample>``, and ``auc/<signal>`` where answers are scores.

        Args:
            answers: (n, outputs) for each sample.
        """
        from sklearn.metrics import roc_auc_score

        found = {
            f"mse_to_teacher/{name}": float(
                np.mean((self.target.comparable(answers[name]) - targets) ** 2)
            )
            for name, (_, targets) in self.samples.items()
        }
        for name in self.samples:
            if self.background and name != self.background:
                scores = np.concatenate([answers[self.background][:, 0], answers[name][:, 0]])
                truth = np.repeat([0, 1], [len(answers[self.background]), len(answers[name])])
                found[f"auc/{name}"] = float(roc_auc_score(truth, scores))
        return found

    def write(self, path: Path) -> None:
        """Write it, all or nothing."""
        arrays: dict[str, NDArray[Any]] = {
            "train/features": self.train.features,
            "train/targets": self.train.targets,
            "validation/features": self.validation.features,
            "validation/targets": self.validation.targets,
        }
        for name, (features, targets) in self.samples.items():
            arrays |= {f"sample/{name}/features": features, f"sample/{name}/targets": targets}
        rest = {
            "background": self.background,
            "target": self.target.model_dump(mode="json"),
            "samples": list(self.samples),
            "distillation": self.distillation.model_dump(mode="json"),
            "exponents": list(self.exponents),
        }
        arrays["rest"] = np.frombuffer(json.dumps(rest).encode(), np.uint8)
        write_arrays(path, arrays)

    @classmethod
    def read(cls, path: Path) -> "Problem":
        """Read what :meth:`write` wrote."""
        with np.load(path, allow_pickle=False) as file:
            rest = json.loads(file["rest"].tobytes())
            parts = {
                part: Examples(features=file[f"{part}/features"], targets=file[f"{part}/targets"])
                for part in ("train", "validation")
            }
            return cls(
                **parts,
                samples={
                    name: (file[f"sample/{name}/features"], file[f"sample/{name}/targets"])
                    for name in rest["samples"]
                },
                background=rest["background"],
                target=TargetTransform.model_validate(rest["target"]),
                distillation=DistillationSettings.model_validate(rest["distillation"]),
                exponents=tuple(rest["exponents"]),
            )

"""student: the teacher's scores in, a small quantized, pruned network out."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from l1distill.compression.pruning import PruningSettings, measure_sparsity
from l1distill.core.errors import ConfigError
from l1distill.data.splits import Split
from l1distill.distillation.response import DistillationSettings, SoftTarget
from l1distill.models.mlp import StudentSettings, build_student
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.anomaly.dataset import BACKGROUND, open_dataset
from l1distill.tasks.anomaly.standardization import STANDARDIZATION, Standardization
from l1distill.tracking import ModelSpec


class Settings(StageSettings):
    """What ``l1distill student`` is told."""

    student: StudentSettings
    distillation: DistillationSettings
    compression: PruningSettings
    teacher_folder: Path

    @model_validator(mode="after")
    def _pruning_ends_in_time(self) -> "Settings":
        self.compression.check(self.student.training.epochs, "student")
        return self


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder, "teacher": settings.teacher_folder}


def _soft_labels(folder: Path, sample: str, events: int) -> NDArray[np.float32]:
    """Reads the teacher's scores (n,) of a sample of ``events`` events."""
    path = folder / "scores" / f"{sample}.npy"
    try:
        scores: NDArray[np.float32] = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); run teacher again") from error
    if scores.dtype.kind != "f" or not (np.isfinite(scores) & (scores > 0)).all():
        raise ConfigError(f"{path}: scores must be finite and above zero; run teacher again")
    if scores.shape != (events,):
        raise ConfigError(f"{path}: {scores.shape} scores for {events} events; run teacher again")
    return scores


def _run(settings: Settings, context: Context) -> Result:
    from l1distill.distillation.offline import distill
    from l1distill.evaluation.roc import mean_squared_distance, separations, to_metrics
    from l1distill.models import keras_files
    from l1distill.reporting.plots.training import Training, read_roc, write_training
    from l1distill.tasks.anomaly.encoding import InputScaling
    from l1distill.training.fit import Sample, make_deterministic

    dataset = open_dataset(settings.data.folder)
    samples = dataset.objects()
    standardization = Standardization.read(settings.teacher_folder / STANDARDIZATION)
    scaling = InputScaling.fit(standardization, settings.student.inputs)
    inputs = {name: scaling.apply(objects) for name, objects in samples.items()}
    labels = {
        name: _soft_labels(settings.teacher_folder, name, len(objects))
        for name, objects in samples.items()
    }
    rows = dataset.sample(BACKGROUND).rows
    soft_target = SoftTarget.fit(labels[BACKGROUND][rows(Split.TRAIN)])
    targets = {name: soft_target(scores) for name, scores in labels.items()}

    def part(which: Split) -> Sample:
        return Sample(inputs[BACKGROUND][rows(which)], targets[BACKGROUND][rows(which)])

    make_deterministic(settings.seed)
    training = settings.student.training
    with context.epochs("train student", training.epochs) as on_epoch:
        student, history = distill(
            build_student(settings.student),
            part(Split.TRAIN),
            part(Split.VALIDATION),
            settings.distillation.loss,
            training,
            settings.compression,
            settings.seed,
            on_epoch,
            context.checkpoint,
        )

    folder = context.folder
    keras_files.save(student, folder / "student.h5")
    standardization.write(folder / STANDARDIZATION)
    scaling.write(folder / "inputs.json")
    soft_target.write(folder / "soft_target.json")
    inputs[BACKGROUND] = inputs[BACKGROUND][rows(Split.TEST)]
    targets[BACKGROUND] = targets[BACKGROUND][rows(Split.TEST)]
    scores = {
        name: student.predict(values, batch_size=4096, verbose=0)[:, 0]
        for name, values in inputs.items()
    }
    distance = mean_squared_distance(scores, targets)
    test = scores.pop(BACKGROUND)
    results = separations(test, scores)
    teacher_rocs = {
        name: read_roc(settings.teacher_folder / "roc" / f"{name}.csv") for name in results
    }
    name = "student's anomaly score"
    shown = Training(history, test, scores, results, name, logarithmic=False)
    write_training(shown, folder, teacher_rocs)
    metrics = {
        **to_metrics(results),
        **distance,
        "sparsity": measure_sparsity(student),
        "parameters": float(student.count_params()),
        "epochs": float(len(history.loss)),
        "best_validation_loss": min(history.validation_loss),
    }
    return Result(metrics, dataset.md5, model=MODEL)


MODEL = ModelSpec(
    name="student",
    script="student",
    artifacts={"student": "student.h5", "inputs": "inputs.json"},
    requirements=[
        "tensorflow",
        "qkeras",
        "pyparsing",
        "tensorflow-model-optimization",
        "pydantic",
        "mlflow",
    ],
)

STAGE = Stage(
    name="student",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("student.h5", "*.json", "*.csv", "roc/*.csv", "plots/*.png"),
)

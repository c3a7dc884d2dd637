"""student: the teacher's scores in, a small quantised, pruned network out."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.pruning import PruningSettings, measure_sparsity, strip, with_pruning
from l1distill.data.dataset import open_dataset
from l1distill.data.splits import Split, assign
from l1distill.distillation.response import DistillationSettings, SoftTarget
from l1distill.errors import InputError
from l1distill.models.students import StudentSettings, build_student
from l1distill.progress import progress
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tracking import ModelSpec
from l1distill.workspace import write_json


class Settings(StageSettings):
    """What ``l1distill student`` is told."""

    student: StudentSettings
    distillation: DistillationSettings
    compression: PruningSettings
    teacher_folder: Path


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder, "teacher": settings.teacher_folder}


def _soft_labels(folder: Path, sample: str, events: int) -> NDArray[np.float32]:
    """Reads the teacher's scores (n,) of a sample of ``events`` events."""
    path = folder / "scores" / f"{sample}.npy"
    try:
        scores: NDArray[np.float32] = np.load(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run teacher again") from None
    if scores.shape != (events,):
        raise InputError(f"{path}: {scores.shape} scores for {events} events; run teacher again")
    return scores


def _run(settings: Settings, context: Context) -> Result:
    from l1distill.models import keras_files
    from l1distill.models.evaluation import separations, to_metrics
    from l1distill.models.training import Sample, fit, make_deterministic
    from l1distill.plots import training as plots

    dataset = open_dataset(settings.data.folder)
    samples = {"background": dataset.background(), **dataset.signals()}
    inputs = {
        name: settings.student.inputs.apply(events.objects) for name, events in samples.items()
    }
    labels = {
        name: _soft_labels(settings.teacher_folder, name, len(events.objects))
        for name, events in samples.items()
    }
    split = assign(samples["background"].objects)
    soft_target = SoftTarget.fit(labels["background"][split == Split.TRAIN])
    targets = {name: soft_target(scores) for name, scores in labels.items()}

    def sample(part: Split) -> Sample:
        chosen = split == part
        return Sample(inputs["background"][chosen], targets["background"][chosen])

    make_deterministic(settings.seed)
    training = settings.student.training
    train = sample(Split.TRAIN)
    pruned = with_pruning(
        build_student(settings.student),
        settings.compression,
        math.ceil(len(train.inputs) / training.batch_size),
    )
    with progress("train student", training.epochs, "epochs") as advance:

        def on_epoch(epoch: int, losses: Mapping[str, float]) -> None:
            context.run.log_metrics(losses, step=epoch)
            advance(1)

        history = fit(
            pruned.model,
            settings.distillation.loss,
            train,
            sample(Split.VALIDATION),
            training,
            on_epoch,
            pruned.callbacks,
            best_from_epoch=pruned.full_from_epoch,
        )
    student = strip(pruned.model)

    folder = context.folder
    keras_files.save(student, folder / "student.h5")
    write_json(folder / "inputs.json", settings.student.inputs.model_dump())
    write_json(folder / "soft_target.json", soft_target.model_dump())
    scores = {
        name: student.predict(values, batch_size=4096, verbose=0)[:, 0]
        for name, values in inputs.items()
    }
    distance = {
        f"mse_to_teacher/{name}": float(np.mean((scores[name] - targets[name]) ** 2))
        for name in scores
        if name != "background"
    }
    test = split == Split.TEST
    background = scores.pop("background")[test]
    distance["mse_to_teacher/background"] = float(
        np.mean((background - targets["background"][test]) ** 2)
    )
    results = separations(background, scores)
    teacher_rocs = {
        name: plots.read_roc(settings.teacher_folder / "roc" / f"{name}.csv") for name in results
    }
    plots.write_history(history, folder / "history.csv")
    plots.draw_history(history, folder / "plots" / "history.png")
    plots.draw_scores(
        background, scores, folder / "plots" / "scores.png", "student's anomaly score", log=False
    )
    plots.draw_rocs(results, folder / "plots" / "roc.png", teacher_rocs)
    for name, result in results.items():
        plots.write_roc(result.roc, folder / "roc" / f"{name}.csv")
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
    requirements=["tensorflow", "qkeras", "pyparsing", "tensorflow-model-optimization", "pydantic"],
)

STAGE = Stage(
    name="student",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("student.h5", "*.json", "*.csv", "roc/*.csv", "plots/*.png"),
)

"""teacher: events in, a trained autoencoder and its anomaly scores out."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from l1distill.data.dataset import BACKGROUND, open_dataset
from l1distill.data.splits import Split
from l1distill.data.standardisation import STANDARDISATION, Standardisation
from l1distill.models.teachers import TeacherSettings, build_teacher
from l1distill.stages.stage import Context, Result, Stage, StageSettings


class Settings(StageSettings):
    """What ``l1distill teacher`` is told."""

    teacher: TeacherSettings


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder}


def _run(settings: Settings, context: Context) -> Result:
    from l1distill.models import keras_files
    from l1distill.models.autoencoder import anomaly_scores, train_autoencoder
    from l1distill.models.evaluation import separations, to_metrics
    from l1distill.models.training import make_deterministic
    from l1distill.plots.training import Training, write_training

    dataset = open_dataset(settings.data.folder)
    samples = dataset.objects()
    background = dataset.sample(BACKGROUND)
    standardisation = Standardisation.read(settings.data.folder / STANDARDISATION)

    make_deterministic(settings.seed)
    model = build_teacher(settings.teacher)
    training = settings.teacher.training
    with context.epochs("train teacher", training.epochs) as on_epoch:
        history = train_autoencoder(
            model,
            standardisation,
            background.part(Split.TRAIN),
            background.part(Split.VALIDATION),
            training,
            on_epoch,
        )

    folder = context.folder
    keras_files.save(model, folder / "teacher.h5")
    standardisation.write(folder / STANDARDISATION)
    scores = {
        name: anomaly_scores(model, standardisation, objects) for name, objects in samples.items()
    }
    (folder / "scores").mkdir()
    for name, values in scores.items():
        np.save(folder / "scores" / f"{name}.npy", values)

    test = scores.pop(BACKGROUND)[background.rows(Split.TEST)]
    results = separations(test, scores)
    name = "teacher's anomaly score (MSE)"
    write_training(Training(history, test, scores, results, name, logarithmic=True), folder)
    metrics = {
        **to_metrics(results),
        "parameters": float(model.count_params()),
        "epochs": float(len(history.loss)),
        "best_validation_loss": min(history.validation_loss),
    }
    return Result(metrics, dataset.md5)


STAGE = Stage(
    name="teacher",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("teacher.h5", "*.json", "*.csv", "roc/*.csv", "plots/*.png"),
)

"""teacher: events in, a trained autoencoder and its anomaly scores out."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import model_validator

from l1distill.compression.pruning import PruningSettings
from l1distill.data.splits import Split
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.anomaly.dataset import BACKGROUND, open_dataset
from l1distill.tasks.anomaly.standardization import STANDARDIZATION, Standardization
from l1distill.tasks.anomaly.teachers import TeacherSettings, build_teacher, pruned_layers


class Settings(StageSettings):
    """What ``l1distill teacher`` is told."""

    teacher: TeacherSettings
    compression: PruningSettings

    @model_validator(mode="after")
    def _pruning_ends_in_time(self) -> "Settings":
        self.compression.check(self.teacher.training.epochs, "teacher")
        return self


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder}


def _run(settings: Settings, context: Context) -> Result:
    from l1distill.compression.pruning import measure_sparsity, strip, with_pruning
    from l1distill.evaluation.roc import separations, to_metrics
    from l1distill.models import keras_files
    from l1distill.reporting.plots.training import (
        Training,
        draw_scores_compared,
        write_roc,
        write_training,
    )
    from l1distill.tasks.anomaly.autoencoder import (
        anomaly_scores,
        autoencoder_loss,
        predict,
        unrolled,
    )
    from l1distill.training.fit import Fit, fit, make_deterministic

    dataset = open_dataset(settings.data.folder)
    background = dataset.sample(BACKGROUND)
    train, validation = background.part(Split.TRAIN), background.part(Split.VALIDATION)
    standardization = Standardization.read(settings.data.folder / STANDARDIZATION)

    make_deterministic(settings.seed)
    autoencoder = build_teacher(settings.teacher)
    training, pruning = settings.teacher.training, settings.compression
    only = pruned_layers(autoencoder)
    steps = math.ceil(len(train) / training.batch_size)
    pruned = with_pruning(autoencoder.model(), pruning, steps, only)
    trained = autoencoder.rebind(pruned.model)
    beta, batch = settings.teacher.beta, training.batch_size
    loss = autoencoder_loss(unrolled(trained, batch), standardization, beta)
    what = Fit(
        pruned.model,
        loss,
        training,
        settings.seed,
        pruned.callbacks,
        pruned.full_from_epoch,
        xla=not pruned.callbacks,
    )
    with context.epochs("train teacher", training.epochs) as on_epoch:
        history = fit(what, [train], [validation], on_epoch, context.checkpoint)
    model = strip(pruned.model)

    folder = context.folder
    keras_files.save(model, folder / "teacher.h5")
    standardization.write(folder / STANDARDIZATION)
    scores = {
        name: anomaly_scores(predict(model, objects), standardization, objects)
        for name, objects in dataset.objects().items()
    }
    (folder / "scores").mkdir()
    for name, values in scores.items():
        np.save(folder / "scores" / f"{name}.npy", values[settings.teacher.score])

    metrics: dict[str, float] = {}
    results = {}
    for score in scores[BACKGROUND]:
        test = scores[BACKGROUND][score][background.rows(Split.TEST)]
        signals = {name: scores[name][score] for name in dataset.signals}
        results[score] = separations(test, signals)
        metrics |= {f"{score}/{key}": value for key, value in to_metrics(results[score]).items()}
        for name, result in results[score].items():
            write_roc(result.roc, folder / "roc" / score / f"{name}.csv")
        if score == settings.teacher.score:
            metrics |= to_metrics(results[score])
            name = f"teacher's anomaly score ({score})"
            write_training(
                Training(history, test, signals, results[score], name, logarithmic=True), folder
            )
    draw_scores_compared(results, folder / "plots")
    metrics |= {
        "parameters": float(model.count_params()),
        "sparsity": measure_sparsity(model, only),
        "epochs": float(len(history.loss)),
        "best_validation_loss": min(history.validation_loss),
    }
    return Result(metrics, dataset.md5)


STAGE = Stage(
    name="teacher",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("teacher.h5", "*.json", "*.csv", "roc/**/*.csv", "plots/*.png"),
)

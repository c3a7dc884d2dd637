"""paper: the logged runs of teachers, quantized versions and firmware, as the papers' tables."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.core.errors import ConfigError
from l1distill.core.workspace import write_text
from l1distill.firmware.results.report import Figures
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.anomaly.dataset import open_dataset

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from l1distill.evaluation.roc import Roc
    from l1distill.tasks.anomaly.study import Study

FIGURES = "synthesis.json"


class Settings(StageSettings):
    """What ``l1distill paper`` is told."""

    teachers: str
    """The experiment whose runs are the models in floating point."""
    scan: str
    """The experiment whose runs are those in fixed point."""
    firmware: str
    """The experiment whose runs are their firmware."""


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder}


def _run(settings: Settings, context: Context) -> Result:
    from l1distill.tasks.anomaly import firmware_tables
    from l1distill.tasks.anomaly.plots.study import draw_ratios, draw_score_rocs
    from l1distill.tasks.anomaly.study import (
        ARCHITECTURES,
        METHODS,
        NAMES,
        gather,
        ratios,
        render,
        resolved_fpr,
    )
    from l1distill.tracking.lookup import find_runs

    dataset = open_dataset(settings.data.folder)
    signals = dataset.signals
    client = context.run.client
    study = gather(
        find_runs(client, "teacher", settings.teachers, dataset.md5),
        find_runs(client, "quantize", settings.scan, dataset.md5),
    )
    if not study.float_models and not study.pruned:
        raise ConfigError(
            f"no finished run of a teacher on data set {dataset.md5} in the store; begin with "
            f"l1distill teacher experiment={settings.teachers}"
        )
    plots = context.folder / "plots"
    pictures = []
    for kind in ("dnn", "cnn"):
        curves = _curves(context, study, kind, signals)
        if curves:
            path = plots / f"roc_{kind}.png"
            draw_score_rocs(curves, signals, f"{kind.upper()}, floating point", path)
            pictures.append((f"{kind.upper()} in floating point (figures II and III)", path))
    fpr = resolved_fpr([*study.pruned.values(), *study.quantized.values()], signals)
    what = f"TPR at FPR {fpr}" if fpr else "AUC"
    for name in ARCHITECTURES:
        points = {
            method: {signal: ratios(study, name, method, signal, fpr) for signal in signals}
            for method in METHODS
        }
        if any(series for by_signal in points.values() for series in by_signal.values()):
            path = plots / f"ratio_{name}.png"
            draw_ratios(points, NAMES[name], what, path)
            figure = "V" if name.endswith("vae") else "IV"
            pictures.append((f"{NAMES[name]}: {what} against bit width (figure {figure})", path))
    made = firmware_tables.gather(
        study,
        find_runs(client, "synthesize", settings.firmware, None),
        find_runs(client, "synthesize", settings.firmware, None, "FAILED"),
        lambda run: _figures(client, run.run_id),
        firmware_tables.Commands(
            f"l1distill quantize experiment={settings.scan}",
            f"l1distill synthesize experiment={settings.firmware}",
        ),
    )
    firmware = firmware_tables.tables(made)
    html, markdown = render(study, dataset.card, dataset.md5, signals, pictures, firmware)
    write_text(context.folder / "index.html", html)
    write_text(context.folder / "report.md", markdown)
    metrics = {
        "float_models": float(len(study.float_models)),
        "pruned_models": float(len(study.pruned)),
        "quantized_models": float(len(study.quantized)),
        "published_firmware": float(sum(ours.figures is not None for ours in made.values())),
    }
    return Result(metrics, dataset.md5)


def _figures(client: "MlflowClient", run_id: str) -> Figures:
    """Fetches the figures that a synthesis logged.

    Raises:
        ConfigError: they are not in the store.
    """
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory(prefix="l1distill-paper-") as folder:
        try:
            return Figures.load(Path(client.download_artifacts(run_id, FIGURES, folder)))
        except (MlflowException, OSError) as error:
            raise ConfigError(
                f"run {run_id}: its {FIGURES} is not in the store; synthesize again"
            ) from error


def _curves(
    context: Context, study: "Study", kind: str, signals: list[str]
) -> "dict[str, dict[str, Roc]]":
    """Fetches the ROC curves that the runs of the float models logged."""
    from mlflow.exceptions import MlflowException

    from l1distill.reporting.plots.training import read_roc
    from l1distill.tasks.anomaly.study import SCORE_NAMES

    curves: dict[str, dict[str, Roc]] = {}
    for name, run in study.float_models.items():
        if not name.startswith(kind):
            continue
        with tempfile.TemporaryDirectory(prefix="l1distill-paper-") as folder:
            try:
                found = context.run.client.download_artifacts(run.run_id, "roc", folder)
            except (MlflowException, OSError) as error:
                raise ConfigError(
                    f"run {run.run_id}: its ROC curves are not in the store; train {name} again"
                ) from error
            for score in SCORE_NAMES:
                if (Path(found) / score).is_dir():
                    curves[f"{name}/{score}"] = {
                        signal: read_roc(Path(found) / score / f"{signal}.csv")
                        for signal in signals
                    }
    return curves


STAGE = Stage(
    name="paper",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("index.html", "report.md", "plots/*.png"),
)

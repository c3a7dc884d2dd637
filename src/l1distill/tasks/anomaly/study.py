"""The study of Govorkova et al. from logged runs: tables I and II, figures II to V."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from l1distill.artifacts.runs import LoggedRun
from l1distill.evaluation.roc import FPR_POINTS
from l1distill.tasks.anomaly import published

ARCHITECTURES = ("dnn_ae", "dnn_vae", "cnn_ae", "cnn_vae")
NAMES = {name: name.replace("_", " ").upper() for name in ARCHITECTURES}
METHODS = ("ptq", "qat")
SCORE_NAMES = {"mse": "IO", "kl": "D_KL", "rz": "R_z"}
PAPER_FPR = "1e-5"


class Study(NamedTuple):
    """The newest run of everything that the paper compares.

    Attributes:
        float_models: architecture to the run of its baseline in floating point (BF).
        pruned: architecture to that of its baseline pruned (BP).
        quantized: architecture, method and bits to the run of the network in fixed point.
    """

    float_models: Mapping[str, LoggedRun]
    pruned: Mapping[str, LoggedRun]
    quantized: Mapping[tuple[str, str, int], LoggedRun]


class Cell(NamedTuple):
    """A figure of ours beside the published one, in words."""

    ours: str
    published: str = ""


class Row(NamedTuple):
    """A model and a score, with a cell for each signal."""

    model: str
    score: str
    tpr: Sequence[Cell]
    auc: Sequence[Cell]


class Ratio(NamedTuple):
    """A point of figures IV and V."""

    bits: int
    value: float
    error: float


def gather(teachers: Iterable[LoggedRun], quantized: Iterable[LoggedRun]) -> Study:
    """Sorts runs, the newest first, into a study; older runs of the same are left out.

    So are fixed-point versions of another teacher than the pruned one that they are held against.
    """
    plain: dict[str, LoggedRun] = {}
    pruned: dict[str, LoggedRun] = {}
    fixed: dict[tuple[str, str, int], LoggedRun] = {}
    made: dict[str, str] = {}
    for run in teachers:
        made[run.run_id] = run.tags["output_sha256"]
        kind = pruned if float(run.parameters["compression.sparsity"]) else plain
        kind.setdefault(run.parameters["teacher.architecture"], run)
    for run in quantized:
        key = (
            run.parameters["teacher.architecture"],
            run.parameters["quantization.method"],
            int(run.parameters["quantization.bits"]),
        )
        base = pruned.get(key[0])
        if base is not None and made.get(run.tags.get("teacher_run", "")) == made[base.run_id]:
            fixed.setdefault(key, run)
    return Study(plain, pruned, fixed)


def resolved_fpr(runs: Iterable[LoggedRun], signals: Sequence[str]) -> str | None:
    """Returns the lowest false positive rate that all runs could tell, by its name."""
    runs = list(runs)
    for name in sorted(FPR_POINTS, key=lambda point: FPR_POINTS[point]):
        if runs and all(f"tpr_fpr{name}/{signals[0]}" in run.metrics for run in runs):
            return name
    return None


def table_one(study: Study, signals: Sequence[str], fpr: str | None) -> list[Row]:
    """Models in floating point, each with every score that is defined for it (table I)."""
    rows = []
    for name in ARCHITECTURES:
        if name in study.float_models:
            metrics = study.float_models[name].metrics
            for score in (score for score in SCORE_NAMES if f"{score}/auc/{signals[0]}" in metrics):
                prefix = f"{score}/"
                rows.append(
                    Row(
                        NAMES[name],
                        SCORE_NAMES[score],
                        [Cell(_tpr(metrics, prefix, fpr, signal)) for signal in signals],
                        [Cell(_auc(metrics, prefix, signal)) for signal in signals],
                    )
                )
    return rows


def table_two(study: Study, signals: Sequence[str], fpr: str | None) -> list[Row]:
    """The paper's four choices, ours beside the published figures (table II)."""
    rows = []
    for chosen in published.TABLE_II:
        run = study.quantized.get((chosen.architecture, chosen.method, chosen.bits))
        metrics = run.metrics if run else {}
        model = f"{NAMES[chosen.architecture]} {chosen.method.upper()} {chosen.bits} bits"
        rows.append(
            Row(
                model,
                SCORE_NAMES[chosen.score],
                [
                    Cell(_tpr(metrics, "", fpr, signal), _printed(chosen.tpr, signal, ".2f"))
                    for signal in signals
                ],
                [
                    Cell(_auc(metrics, "", signal), _printed(chosen.auc, signal, ".0f"))
                    for signal in signals
                ],
            )
        )
    return rows


def _printed(values: Mapping[str, float], signal: str, spec: str) -> str:
    """Return a published value as it is printed; empty for a signal of the user's own."""
    return format(values[signal], spec) if signal in values else ""


def ratios(
    study: Study, architecture: str, method: str, signal: str, fpr: str | None
) -> list[Ratio]:
    """TPR of the fixed-point networks over that of the pruned float model (figures IV and V).

    The errors are those of both rates, taken as independent; both see the same events, so that
    they are upper bounds. Where no rate could be told the AUC stands in for it.
    """
    base = study.pruned.get(architecture)
    if base is None:
        return []
    found = []
    for (name, way, bits), run in sorted(study.quantized.items(), key=lambda item: item[0]):
        if (name, way) == (architecture, method):
            over, under = (_value(metrics, fpr, signal) for metrics in (run.metrics, base.metrics))
            if over is not None and under is not None and under[0] > 0:
                value = over[0] / under[0]
                spread = ((over[1] / max(over[0], 1e-12)) ** 2 + (under[1] / under[0]) ** 2) ** 0.5
                found.append(Ratio(bits, value, value * spread))
    return found


def _value(
    metrics: Mapping[str, float], fpr: str | None, signal: str
) -> tuple[float, float] | None:
    if fpr is None:
        name, error = f"auc/{signal}", metrics.get(f"auc_error/{signal}", 0.0)
    else:
        name = f"tpr_fpr{fpr}/{signal}"
        low, high = (metrics.get(f"tpr_fpr{fpr}_{end}/{signal}", 0.0) for end in ("low", "high"))
        error = 0.5 * (high - low)
    return (metrics[name], error) if name in metrics else None


def _auc(metrics: Mapping[str, float], prefix: str, signal: str) -> str:
    value = metrics.get(f"{prefix}auc/{signal}")
    if value is None:
        return "not run"
    return f"{100 * value:.1f} ± {100 * metrics[f'{prefix}auc_error/{signal}']:.1f}"


def _tpr(metrics: Mapping[str, float], prefix: str, fpr: str | None, signal: str) -> str:
    if f"{prefix}auc/{signal}" not in metrics:
        return "not run"
    value = metrics.get(f"{prefix}tpr_fpr{fpr}/{signal}")
    if value is None:
        return "too few events"
    low, high = (metrics[f"{prefix}tpr_fpr{fpr}_{end}/{signal}"] for end in ("low", "high"))
    return f"{100 * value:.2f} (+{100 * (high - value):.2f} −{100 * (value - low):.2f})"

"""The study of Govorkova et al. as a page: tables I to IV, figures II to V, from logged runs."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from l1distill.artifacts.runs import LoggedRun, RunFinder
from l1distill.core.errors import DataError
from l1distill.core.workspace import write_text
from l1distill.data.dataset import Dataset
from l1distill.evaluation.curves import Curve, read_curve
from l1distill.firmware.files import SYNTHESIS_REPORT
from l1distill.firmware.results.report import SynthesisReport
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.template import embed, fill
from l1distill.tasks.anomaly import firmware_tables, published
from l1distill.tasks.anomaly.firmware_tables import Table
from l1distill.tasks.anomaly.plots.style import plain_name
from l1distill.tasks.anomaly.published_firmware import WHY_OURS_DIFFER
from l1distill.tasks.anomaly.study import (
    ARCHITECTURES,
    METHODS,
    NAMES,
    PAPER_FPR,
    SCORE_NAMES,
    Study,
    gather,
    ratios,
    resolved_fpr,
    table_one,
    table_two,
)

PACKAGE = "l1distill.tasks.anomaly"


class AutoencoderStudy:
    """Writes the tables and figures of arXiv:2108.03986 from what the tracking store holds."""

    def check(self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str]) -> None:
        """Refuse a study without anything to begin with.

        Raises:
            DataError: the data set has no signals, or no teacher was trained on it.
        """
        self._gathered(runs, dataset, experiments)

    def write(
        self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str], folder: Path
    ) -> Mapping[str, float]:
        """Write ``index.html``, ``report.md`` and ``plots/``.

        Args:
            runs: finds logged runs and their files.
            dataset: the runs are about it.
            experiments: names of the experiments ``teachers``, ``scan`` and ``firmware``.
            folder: to write into.

        Raises:
            DataError: the data set has no signals, no teacher was trained on it, or a run lacks a
                file.
        """
        study = self._gathered(runs, dataset, experiments)
        firmware = firmware_tables.gather(
            study,
            runs.find("synthesize", experiments["firmware"], None),
            runs.find("synthesize", experiments["firmware"], None, "FAILED"),
            lambda run: _synthesis_report(runs, run.run_id),
            firmware_tables.Commands(
                f"l1distill quantize experiment={experiments['scan']}",
                f"l1distill synthesize experiment={experiments['firmware']}",
            ),
        )
        pictures = [
            *_roc_pictures(runs, study, dataset.signals, folder / FOLDER),
            *_ratio_pictures(study, dataset.signals, folder / FOLDER),
        ]
        tables = firmware_tables.tables(firmware)
        html, markdown = render(study, dataset, pictures, tables)
        write_text(folder / "index.html", html)
        write_text(folder / "report.md", markdown)
        return {
            "float_models": float(len(study.float_models)),
            "pruned_models": float(len(study.pruned)),
            "quantized_models": float(len(study.quantized)),
            "published_firmware": float(
                sum(ours.figures is not None for ours in firmware.values())
            ),
        }

    def _gathered(self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str]) -> Study:
        if not dataset.signals:
            raise DataError(
                f"{dataset.folder}: has no signals; the study is about how they stand out"
            )
        study = gather(
            runs.find("teacher", experiments["teachers"], dataset.md5),
            runs.find("quantize", experiments["scan"], dataset.md5),
        )
        if not study.float_models and not study.pruned:
            raise DataError(
                f"no finished teacher of experiment={experiments['teachers']} on data set "
                f"{dataset.md5} in the store; begin with l1distill teacher "
                f"experiment={experiments['teachers']}"
            )
        return study


def render(
    study: Study,
    dataset: Dataset,
    pictures: Sequence[Picture],
    firmware: Sequence[Table] = (),
) -> tuple[str, str]:
    """Return the page as HTML and as Markdown; pictures stand beside the Markdown."""
    signals, card = dataset.signals, dataset.card
    fpr = resolved_fpr([*study.pruned.values(), *study.quantized.values()], signals)
    background = card.files[dataset.training_sample]
    tables = {
        "one": table_one(study, signals, fpr),
        "two": table_two(study, signals, fpr),
        "fpr": fpr,
        "paper_fpr": PAPER_FPR,
        "test": background.test,
        "signals": [plain_name(signal) for signal in signals],
        "dataset": card.dataset,
        "md5": dataset.md5,
        "train": background.train,
        "why": published.WHY_OURS_DIFFER,
        "ablations": card.ablations,
        "signal_keys": list(signals),
        "mismatches": _mismatches(study),
        "firmware": firmware,
        "why_firmware": WHY_OURS_DIFFER,
    }
    html = fill("study.html.j2", PACKAGE, pictures=embed(pictures), **tables)
    names = [(picture.caption, picture.path.name) for picture in pictures]
    return html, fill("study.md.j2", PACKAGE, pictures=names, **tables)


def _mismatches(study: Study) -> str:
    verified = [run.metrics for run in study.quantized.values() if "mismatches" in run.metrics]
    wrong = sum(metrics["mismatches"] for metrics in verified)
    events = sum(metrics["verified_events"] for metrics in verified)
    return (
        f"{len(verified)} of {len(study.quantized)} networks in fixed point were compared with "
        f"hls4ml's C simulation: {wrong:.0f} of {events:.0f} events differ."
    )


def _roc_pictures(
    runs: RunFinder, study: Study, signals: Sequence[str], plots: Path
) -> list[Picture]:
    """Draw figures II and III."""
    from l1distill.tasks.anomaly.plots.study import draw_score_rocs

    pictures = []
    for family in ("dnn", "cnn"):
        models = {n: run for n, run in study.float_models.items() if n.startswith(family)}
        curves = _curves(runs, models, signals)
        if curves:
            path = plots / f"roc_{family}.png"
            draw_score_rocs(curves, signals, f"{family.upper()}, floating point", path)
            caption = f"{family.upper()} in floating point (figures II and III)"
            pictures.append(Picture(caption=caption, path=path))
    return pictures


def _ratio_pictures(study: Study, signals: Sequence[str], plots: Path) -> list[Picture]:
    """Draw figures IV and V."""
    from l1distill.tasks.anomaly.plots.study import draw_ratios

    fpr = resolved_fpr([*study.pruned.values(), *study.quantized.values()], signals)
    quantity = f"TPR at FPR {fpr}" if fpr else "AUC"
    pictures = []
    for name in ARCHITECTURES:
        points = {
            method: {signal: ratios(study, name, method, signal, fpr) for signal in signals}
            for method in METHODS
        }
        if any(series for by_signal in points.values() for series in by_signal.values()):
            path = plots / f"ratio_{name}.png"
            draw_ratios(points, NAMES[name], quantity, path)
            figure = "V" if name.endswith("vae") else "IV"
            caption = f"{NAMES[name]}: {quantity} against bit width (figure {figure})"
            pictures.append(Picture(caption=caption, path=path))
    return pictures


def _synthesis_report(runs: RunFinder, run_id: str) -> SynthesisReport:
    """Fetch the report that a synthesis logged."""
    with tempfile.TemporaryDirectory(prefix="l1distill-paper-") as folder:
        try:
            return SynthesisReport.load(runs.download(run_id, SYNTHESIS_REPORT, Path(folder)))
        except FileNotFoundError as error:
            raise DataError(
                f"run {run_id}: its {SYNTHESIS_REPORT} is not in the store; synthesize again"
            ) from error


def _curves(
    runs: RunFinder, models: Mapping[str, LoggedRun], signals: Sequence[str]
) -> dict[str, dict[str, Curve]]:
    """Fetch the ROC curves that the runs of float models logged: "architecture/score" to curves."""
    curves: dict[str, dict[str, Curve]] = {}
    for name, run in models.items():
        with tempfile.TemporaryDirectory(prefix="l1distill-paper-") as folder:
            try:
                roc = runs.download(run.run_id, "roc", Path(folder))
            except FileNotFoundError as error:
                raise DataError(
                    f"run {run.run_id}: its ROC curves are not in the store; train {name} again"
                ) from error
            for score in SCORE_NAMES:
                if (roc / score).is_dir():
                    curves[f"{name}/{score}"] = {
                        signal: read_curve(roc / score / f"{signal}.csv") for signal in signals
                    }
    return curves

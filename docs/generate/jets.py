"""Render the page of results of the jets task from what its pipeline left."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docs.generate.results import firmware_sentence, read, verdict_table
from docs.generate.text import table

RECORD = Path(__file__).parents[1] / "results" / "jets.json"
PIPELINE = Path("pipelines/jets")
OUTPUTS = {
    "generate": "data/jets",
    "teacher": "models/teacher",
    "student": "models/student",
    "synthesize": "firmware/student",
    "promote": "promotion",
}
PICTURES = {
    "data/jets/plots/softdrop_mass.png": "Soft-drop mass of both classes, measured and calibrated",
    "data/jets/plots/single_features.png": "ROC curves of the best single features, and of phi",
    "models/student/plots/scores.png": "The student's answer to both classes",
}
"""What is taken over from the pipeline's folder, and what it shows."""


def jets_record(folder: Path, commit: str) -> dict[str, Any]:
    """Read everything that the page shows from the outputs of the jets pipeline."""
    folders = {stage: folder / path for stage, path in OUTPUTS.items()}
    card = read(folders["generate"] / "card.json")
    synthesis = read(folders["synthesize"] / "synthesis.json")
    return {
        "command": "make repro-jets",
        "commit": commit,
        "dataset_md5": read(folders["teacher"] / "record.json")["dataset_md5"],
        "generator": card["settings"],
        "checks": card["checks"],
        "device": synthesis["device"],
        "metrics": {stage: read(path / "metrics.json") for stage, path in folders.items()},
        "gates": read(folders["promote"] / "verdict.json")["gates"],
    }


def take_pictures(folder: Path, target: Path) -> None:
    """Copy the pictures of the page from the pipeline's folder."""
    for name in PICTURES:
        shutil.copyfile(folder / name, target / picture_name(name))


def picture_name(name: str) -> str:
    """Return the name of a picture beside the page."""
    return f"jets_{Path(name).name}"


def page(record: Mapping[str, Any]) -> str:
    """Return the page on what ``make repro-jets`` gives."""
    from l1distill.tasks.jets.checks import EXPECTATIONS

    generator, metrics = record["generator"], record["metrics"]
    checks = [
        (f"`{name}`", f"{value:.4g}", EXPECTATIONS.get(name, ""))
        for name, value in record["checks"].items()
    ]
    models = [_model(name, metrics[name]) for name in ("teacher", "student")]
    pictures = [f"![{words}]({picture_name(name)})\n" for name, words in PICTURES.items()]
    return "\n".join(
        (
            "# The jets pipeline on the quick profile\n",
            f"Written by `{record['command']}` and taken over by `make results`: seed "
            f"{generator['seed']}, {generator['jets_per_class']:,} jets of each class, "
            f"multi-parton interactions {generator['mpi']}, data set MD5 "
            f"`{record['dataset_md5'][:12]}`, recorded at commit `{record['commit'][:12]}`.\n",
            "## Jets\n",
            table(("check", "value", "expected"), checks),
            *pictures[:2],
            "## Teacher and student\n",
            table(
                ("model", "AUC", "rejection at 50%", "rejection at 80%", "rate at 80% [kHz]"),
                models,
            ),
            "A rejection is one over the share of QCD jets that pass, at a signal efficiency; the "
            "rate is counted from an assumed one of QCD jets. Brackets are intervals of 68.3% of "
            "the test sample.\n",
            *pictures[2:],
            "## Firmware\n",
            firmware_sentence(record) + "\n",
            "## Promotion\n",
            verdict_table(record),
        )
    )


def _model(name: str, metrics: Mapping[str, float]) -> tuple[str, ...]:
    def interval(quantity: str, signal: str, form: str) -> str:
        value, low, high = (
            format(metrics[f"{quantity}{end}{signal}"], form) for end in ("", "_low", "_high")
        )
        return f"{value} [{low}, {high}]"

    return (
        name,
        f"{metrics['auc']:.4f} ± {metrics['auc_error']:.4f}",
        interval("rejection_50", "", ".0f"),
        interval("rejection_80", "", ".0f"),
        interval("rate_khz_at_80", "/h_bb", ".4f"),
    )

"""Measure what each modeling choice does to an autoencoder's AUC, on data sets that differ.

Run from the project's folder: ``python benchmarks/ablations.py FOLDER [variant ...]``. Each variant
changes one thing about the generator, is generated with the same number of events, and has its own
CNN autoencoder trained with the settings of ``conf/teacher/cnn_ae.yaml``. Data sets stay in FOLDER,
so that a killed run goes on; the table of all variants, with the physics settings that they start
from, goes to ``ablations.json`` beside the generator, from where the data card takes it. The
findings in ``notes.json`` are to be written anew with it. About half an hour on two cores.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from l1distill.core.progress import progress
from l1distill.core.workspace import write_text
from l1distill.data.card import Ablation
from l1distill.data.dataset import Dataset
from l1distill.data.splits import Split
from l1distill.executor.processes import local_processes
from l1distill.tasks.anomaly.dataset import open_dataset
from l1distill.tasks.anomaly.events import JETS, MET
from l1distill.tasks.anomaly.generator.generate import generate
from l1distill.tasks.anomaly.generator.notes import ABLATIONS, AblationStudy
from l1distill.tasks.anomaly.generator.plan import total_cost, total_events
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.standardization import Standardization

EVENTS = {"background": 6_000, "signal": 400}
SEED = 2026


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One change to the generator's settings.

    Attributes:
        settings: What differs from the defaults.
        detector: What differs in the detector simulation.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    detector: Mapping[str, Any] = field(default_factory=dict)


LOOSE = {"isolation_radius": 0.3, "electron_isolation_max": 0.45, "muon_isolation_max": 0.45}
VARIANTS = {
    "as shipped": Variant(),
    "multi-parton interactions from PYTHIA, mpi=full": Variant(settings={"mpi": "full"}),
    "no multi-parton interactions, mpi=off": Variant(settings={"mpi": "off"}),
    "no pileup, pileup=0": Variant(settings={"pileup": 0.0}),
    "loose isolation, 0.45 in a cone of 0.3": Variant(detector=LOOSE),
    "no pileup and loose isolation": Variant(settings={"pileup": 0.0}, detector=LOOSE),
    "jets from 15 GeV": Variant(detector={"jet_pt_min": 15.0}),
    "jets from 30 GeV": Variant(detector={"jet_pt_min": 30.0}),
    "leptons from 10 GeV, as in the card": Variant(detector={"lepton_pt_min": 10.0}),
    "the standard profile's number of events": Variant(
        settings={"background": 100_000, "signal": 10_000}
    ),
}


def settings_of(variant: Variant) -> GeneratorSettings:
    """Apply a variant to the defaults."""
    changed = {"seed": SEED, **EVENTS, **variant.settings}
    plain = GeneratorSettings().model_dump() | changed
    plain["detector"] = plain["detector"] | dict(variant.detector)
    return GeneratorSettings.model_validate(plain)


def make(settings: GeneratorSettings, folder: Path) -> Dataset:
    """Generate a data set unless it is there."""
    if not (folder / "card.json").is_file():
        with (
            local_processes(None) as executor,
            progress(
                folder.name, total_events(settings), "events", total_cost(settings)
            ) as advance,
        ):
            generate(settings, folder, executor, advance)
    return open_dataset(folder)


def measure(dataset: Dataset, change: str) -> Ablation:
    """Train an autoencoder on a data set and measure how signals separate from the background."""
    from l1distill.distillation.teacher import train_teacher
    from l1distill.tasks.anomaly.evaluation import separate
    from l1distill.tasks.anomaly.settings import AutoencoderSettings
    from l1distill.tasks.anomaly.teacher import AnomalyTeacher

    plain = OmegaConf.to_container(OmegaConf.load("conf/teacher/cnn_ae.yaml"))
    settings = AutoencoderSettings.model_validate(plain)
    background = dataset.training
    train = background.part(Split.TRAIN)
    teacher = AnomalyTeacher(settings, Standardization.fit(train))
    with progress(f"train, {change}", settings.training.epochs, "epochs") as advance:
        trained = train_teacher(
            teacher,
            [train],
            [background.part(Split.VALIDATION)],
            settings.training,
            seed=SEED,
            on_epoch=lambda *_: advance(1),
        )
    scores = {}
    for name, sample in dataset.samples().items():
        items = sample.items.values[dataset.evaluation_rows(name)]
        scores[name] = teacher.answers(trained.model, items)[settings.score]
    results = separate(scores, dataset)
    objects = background.items.values
    return Ablation(
        change=change,
        train=len(train),
        auc={name: round(result.auc, 4) for name, result in results.items()},
        auc_error={name: round(result.auc_error, 4) for name, result in results.items()},
        jets_per_event=round(float((objects[:, JETS, 0] > 0).sum(axis=1).mean()), 4),
        met_mean_gev=round(float(np.mean(objects[:, MET, 0])), 3),
    )


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    folder = Path(sys.argv[1])
    results: list[Ablation] = []
    for change in sys.argv[2:] or list(VARIANTS):
        variant = VARIANTS[change]
        name = "-".join(f"{key}={value}" for key, value in variant.settings.items())
        name += "-".join(f"{key}={value}" for key, value in variant.detector.items())
        results.append(measure(make(settings_of(variant), folder / (name or "default")), change))
        print(results[-1].model_dump_json(), flush=True)
    if len(results) == len(VARIANTS):
        study = AblationStudy(settings=settings_of(Variant()).physics, ablations=results)
        write_text(ABLATIONS, study.model_dump_json(indent=2) + "\n")
        print(f"{ABLATIONS}: written; write the findings in notes.json anew")


if __name__ == "__main__":
    main()

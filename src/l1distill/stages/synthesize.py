"""synthesize: the student in; verified firmware, its figures and a bundle out."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.data.dataset import BACKGROUND, open_dataset
from l1distill.data.splits import Split
from l1distill.data.standardisation import STANDARDISATION
from l1distill.errors import InputError
from l1distill.firmware.settings import FirmwareSettings
from l1distill.stages.stage import Context, Result, Stage, StageSettings

if TYPE_CHECKING:
    from l1distill.firmware.documents import Subject
    from l1distill.models.preprocessing import InputScaling

MODEL = "student.h5"
SLOTS = (
    "MET",
    *(f"electron {number}" for number in range(1, 5)),
    *(f"muon {number}" for number in range(1, 5)),
    *(f"jet {number}" for number in range(1, 11)),
)
"""What stands in each slot of an event."""


class Settings(StageSettings):
    """What ``l1distill synthesize`` is told."""

    firmware: FirmwareSettings
    student_folder: Path


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder, "student": settings.student_folder}


def _run(settings: Settings, context: Context) -> Result:
    import numpy as np

    from l1distill.firmware.synthesis import synthesise
    from l1distill.models import keras_files
    from l1distill.models.preprocessing import InputScaling
    from l1distill.models.students import quantise_inputs

    student = keras_files.load(settings.student_folder / MODEL)
    scaling = InputScaling.read(settings.student_folder / "inputs.json")
    dataset = open_dataset(settings.data.folder)
    # Signals fill slots and ranges that background seldom reaches.
    signals = [dataset.sample(name).objects for name in dataset.signals]
    events = np.concatenate([dataset.sample(BACKGROUND).part(Split.TEST), *signals])
    wanted = settings.firmware.verification_events
    if len(events) < wanted:
        raise InputError(
            f"firmware.verification_events={wanted}: the data set has only {len(events)} test "
            "and signal events; lower it or generate more"
        )
    chosen = np.random.default_rng(settings.seed).choice(len(events), wanted, replace=False)
    vectors = quantise_inputs(student).predict(
        scaling.apply(events[np.sort(chosen)]), batch_size=4096, verbose=0
    )
    constants = context.folder / "constants"
    constants.mkdir()
    for name in ("inputs.json", STANDARDISATION):
        shutil.copy(settings.student_folder / name, constants / name)
    subject = _subject(settings, context, scaling)
    figures = synthesise(student, vectors, settings.firmware, context.folder, _say, subject)
    metrics = {**figures.to_metrics(), "firmware/verified_events": float(len(vectors))}
    return Result(metrics, dataset.md5, describes="student")


def _subject(settings: Settings, context: Context, scaling: "InputScaling") -> "Subject":
    """What the model card says of a student."""
    from l1distill.firmware.documents import Quantity, Subject

    inputs: list[Quantity] = []
    for slot, unit in zip(SLOTS, scaling.pt_unit_gev, strict=True):
        inputs.append(Quantity(f"pT of {slot}", "GeV", unit))
        inputs += Quantity(f"eta of {slot}"), Quantity(f"phi of {slot}", "rad")
    student = context.records["student"]
    return Subject(
        title="Anomaly trigger",
        summary=(
            "A quantised, pruned student network that regresses the anomaly score of a large "
            "teacher autoencoder, distilled by l1distill.\n\n"
            f"- model: `{MODEL}`, SHA-256 `{student.files[MODEL]}`\n"
            f"- trained on: data set `{student.dataset}`, MD5 `{student.dataset_md5}`\n"
            f"- verified on: {settings.firmware.verification_events} of its test and signal events"
        ),
        inputs=tuple(inputs),
        outputs=(Quantity("log of the teacher's score, standardised over the background"),),
        limitations=(
            "Absent objects are zeros. pT is given in the units above, in powers of two, which "
            "only move the binary point; constants/inputs.json has them.",
            "The score says how unlike the background of that data set an event is, as its "
            "teacher sees it; what the data leave out stands in their card.",
        ),
    )


def _say(step: str) -> None:
    import sys

    print(f"synthesize: {step}", file=sys.stderr, flush=True)


STAGE = Stage(
    name="synthesize",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("*.md", "figures.json", "bundle.tar.gz"),
)

"""The line's own way to firmware: a student, on the events of its data set."""

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from l1distill.data.splits import Split
from l1distill.firmware.results.documents import ModelDescription, Quantity
from l1distill.firmware.synthesis import synthesize
from l1distill.models import keras_files
from l1distill.models.mlp import quantize_inputs
from l1distill.stages.stage import Context, Result
from l1distill.tasks.anomaly.dataset import BACKGROUND, open_dataset
from l1distill.tasks.anomaly.encoding import InputScaling
from l1distill.tasks.anomaly.standardization import STANDARDIZATION

if TYPE_CHECKING:
    from l1distill.stages.synthesize import Settings

MODEL = "student.h5"
SLOTS = (
    "MET",
    *(f"electron {number}" for number in range(1, 5)),
    *(f"muon {number}" for number in range(1, 5)),
    *(f"jet {number}" for number in range(1, 11)),
)
"""What stands in each slot of an event."""


def synthesize_student(
    settings: "Settings", context: Context, say: Callable[[str], None]
) -> Result:
    """Turns the student of ``settings.student_folder`` into firmware; ``say`` is told how far."""
    student = keras_files.load(settings.student_folder / MODEL)
    scaling = InputScaling.read(settings.student_folder / "inputs.json")
    dataset = open_dataset(settings.data.folder)
    # Signals fill slots and ranges that background seldom reaches.
    signals = [dataset.sample(name).objects for name in dataset.signals]
    events = np.concatenate([dataset.sample(BACKGROUND).part(Split.TEST), *signals])
    wanted = min(settings.firmware.verification_events, len(events))
    chosen = np.random.default_rng(settings.seed).choice(len(events), wanted, replace=False)
    vectors = quantize_inputs(student).predict(
        scaling.apply(events[np.sort(chosen)]), batch_size=4096, verbose=0
    )
    constants = context.folder / "constants"
    constants.mkdir()
    for name in ("inputs.json", STANDARDIZATION):
        shutil.copy(settings.student_folder / name, constants / name)
    subject = _subject(context, scaling, len(vectors))
    figures = synthesize(
        student, vectors, settings.firmware, context.folder, say, subject, settings.score
    )
    return Result(figures.to_metrics(), dataset.md5, describes="student")


def _subject(context: Context, scaling: InputScaling, verified: int) -> ModelDescription:
    """What the model card says of a student."""
    inputs: list[Quantity] = []
    for slot, unit in zip(SLOTS, scaling.pt_unit_gev, strict=True):
        inputs.append(Quantity(f"pT of {slot}", "GeV", unit))
        inputs += Quantity(f"eta of {slot}"), Quantity(f"phi of {slot}", "rad")
    student = context.records["student"]
    return ModelDescription(
        title="Anomaly trigger",
        summary=(
            "A quantized, pruned student network that regresses the anomaly score of a large "
            "teacher autoencoder, distilled by l1distill.\n\n"
            f"- model: `{MODEL}`, SHA-256 `{student.files[MODEL]}`\n"
            f"- trained on: data set `{student.dataset}`, MD5 `{student.dataset_md5}`\n"
            f"- verified on: {verified} of its test and signal events, and on random and "
            "adversarial ones"
        ),
        inputs=tuple(inputs),
        outputs=(Quantity("log of the teacher's score, standardized over the background"),),
        limitations=(
            "Absent objects are zeros. pT is given in the units above, in powers of two, which "
            "only move the binary point; constants/inputs.json has them.",
            "The score says how unlike the background of that data set an event is, as its "
            "teacher sees it; what the data leave out stands in their card.",
        ),
    )

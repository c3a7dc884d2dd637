"""synthesize: a student, or any model, in; verified firmware, its figures and a bundle out."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from l1distill.data.dataset import BACKGROUND, open_dataset
from l1distill.data.splits import Split
from l1distill.data.standardisation import STANDARDISATION
from l1distill.firmware.settings import FirmwareSettings, PrecisionSettings, ScoreSettings
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.workspace import file_sha256, folder_sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from l1distill.firmware.network import Network

LINE = Path("firmware/student")
"""Where ``dvc.yaml`` keeps the line's own firmware."""

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
    model: str | None = None
    """A model of the user's, instead of the student: a path, or a URI of MLflow."""
    weights: Path | None = None
    events: Path | None = None
    precision: PrecisionSettings = PrecisionSettings()
    score: ScoreSettings = ScoreSettings()

    @model_validator(mode="after")
    def _apart_from_the_line(self) -> "Settings":
        if self.model is None:
            for name in ("weights", "events"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name}= goes with a model=; name that as well")
        elif self.output == LINE:
            raise ValueError(f"model= needs an output= of its own; {LINE} is the line's")
        return self


def _inputs(settings: Settings) -> Mapping[str, Path]:
    if settings.model is not None:
        return {}
    return {"generate": settings.data.folder, "student": settings.student_folder}


def _run(settings: Settings, context: Context) -> Result:
    if settings.model is not None:
        return _run_any(settings.model, settings, context)

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
    wanted = min(settings.firmware.verification_events, len(events))
    chosen = np.random.default_rng(settings.seed).choice(len(events), wanted, replace=False)
    vectors = quantise_inputs(student).predict(
        scaling.apply(events[np.sort(chosen)]), batch_size=4096, verbose=0
    )
    constants = context.folder / "constants"
    constants.mkdir()
    for name in ("inputs.json", STANDARDISATION):
        shutil.copy(settings.student_folder / name, constants / name)
    subject = _subject(settings, context, scaling)
    figures = synthesise(
        student, vectors, settings.firmware, context.folder, _say, subject, settings.score
    )
    return Result(figures.to_metrics(), dataset.md5, describes="student")


def _run_any(model: str, settings: Settings, context: Context) -> Result:
    """Does the same for a model that comes without its data set."""
    from l1distill.firmware import network_file
    from l1distill.firmware.events import read_events
    from l1distill.firmware.qkeras_reader import describe
    from l1distill.firmware.synthesis import NETWORK, synthesise
    from l1distill.models.foreign import is_quantised, load_foreign
    from l1distill.tracking.fetch import fetch_keras, is_uri

    with tempfile.TemporaryDirectory(prefix="l1distill-model-") as name:
        path = fetch_keras(model, Path(name)) if is_uri(model) else Path(model)
        ours = path / NETWORK if path.is_dir() else path
        is_network = ours.name == NETWORK and ours.is_file()
        loaded = network_file.load(ours) if is_network else load_foreign(path, settings.weights)
        sources = {"model": folder_sha256(path) if path.is_dir() else file_sha256(path)}
    if settings.weights is not None and settings.weights.is_file():
        sources["weights"] = file_sha256(settings.weights)
    metrics: dict[str, float] = {}
    quantised = is_network or is_quantised(loaded)
    network: Network
    if quantised:
        network = loaded if is_network else describe(loaded)
    else:
        _say(f"rounding a model in floating point to {settings.precision.bits} bits")
        network, metrics = _rounded(loaded, settings)
    x = None
    if settings.events is not None:
        events = read_events(settings.events, network.inputs, "events")
        x = network.at_ports(events) * network.input_units
        sources["events"] = file_sha256(settings.events)
    figures = synthesise(
        loaded if quantised else network,
        x,
        settings.firmware,
        context.folder,
        _say,
        score=settings.score,
    )
    md5 = hashlib.md5(repr(sorted(sources.items())).encode(), usedforsecurity=False).hexdigest()
    return Result(
        {**figures.to_metrics(), **metrics},
        md5,
        dataset="random" if settings.events is None else settings.events.name,
        sources=sources,
    )


def _rounded(model: Any, settings: Settings) -> "tuple[Network, dict[str, float]]":
    """Brings a model to fixed point; how far that takes it from itself is among its metrics."""
    import math

    import numpy as np

    from l1distill.firmware.keras_chain import read_chain
    from l1distill.firmware.network import evaluate
    from l1distill.firmware.ptq import post_training_quantise
    from l1distill.firmware.synthesis import predict

    precision = settings.precision
    inputs = math.prod(read_chain(model).shape)
    events = _calibration(settings, inputs)
    network = post_training_quantise(model, precision.bits, events)
    wanted = predict(model, events.astype(np.float32).reshape(-1, *model.input_shape[1:]))
    apart = np.abs(evaluate(network, events) - wanted)
    return network, {
        "precision/bits": float(precision.bits),
        "precision/mean_abs_difference": float(apart.mean()),
        "precision/max_abs_difference": float(apart.max()),
        "precision/rms_of_model": float(np.sqrt(np.mean(wanted**2))),
    }


def _calibration(settings: Settings, inputs: int) -> "NDArray[Any]":
    import numpy as np

    from l1distill.firmware.events import read_events

    precision = settings.precision
    for path, setting in (
        (precision.calibration, "precision.calibration"),
        (settings.events, "events"),
    ):
        if path is not None:
            return read_events(path, inputs, setting)
    rng = np.random.default_rng(settings.seed)
    return rng.uniform(-precision.input_range, precision.input_range, (2048, inputs))


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

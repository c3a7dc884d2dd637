"""quantise: a trained teacher in; the same in fixed point, bit for bit, and its figures out."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.quantisation import QuantisationSettings
from l1distill.data.dataset import BACKGROUND, Dataset, open_dataset
from l1distill.data.splits import Split
from l1distill.data.standardisation import STANDARDISATION, Standardisation
from l1distill.firmware.devices import Device
from l1distill.models.teachers import N_INPUTS, Autoencoder, TeacherSettings, build_teacher
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tracking import Record

if TYPE_CHECKING:
    from tensorflow import keras

    from l1distill.firmware.network import Network

NETWORK = "network.json"


class Settings(StageSettings):
    """What ``l1distill quantise`` is told."""

    quantisation: QuantisationSettings
    device: Device
    """What the verified HLS project is written for."""
    teacher_folder: Path


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder, "teacher": settings.teacher_folder}


def teacher_settings(record: Record) -> TeacherSettings:
    """Returns the settings that a teacher was trained with, from its record."""
    nested: dict[str, Any] = {}
    for key, value in record.parameters.items():
        section, *path = key.split(".")
        if section == "teacher":
            place = nested
            for part in path[:-1]:
                place = place.setdefault(part, {})
            place[path[-1]] = value
    return TeacherSettings.model_validate(nested)


def _run(settings: Settings, context: Context) -> Result:
    from l1distill.firmware import network_file
    from l1distill.firmware.network import evaluate
    from l1distill.models import keras_files
    from l1distill.models.autoencoder import Outputs, anomaly_scores
    from l1distill.models.evaluation import separations, to_metrics

    record = context.records["teacher"]
    context.run.log_parameters(
        {
            key: value
            for key, value in record.parameters.items()
            if key.split(".")[0] in {"teacher", "compression"}
        }
    )
    teacher = teacher_settings(record)
    autoencoder = build_teacher(teacher)
    autoencoder.model()  # names its layers
    dataset = open_dataset(settings.data.folder)
    standardisation = Standardisation.read(settings.teacher_folder / STANDARDISATION)
    model = keras_files.load(settings.teacher_folder / "teacher.h5")
    network = _quantise(settings, context, dataset, teacher, autoencoder.within(model), model)
    network_file.save(network, context.folder / NETWORK)
    standardisation.write(context.folder / STANDARDISATION)

    def scores(objects: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        found = evaluate(network, objects.reshape(-1, N_INPUTS)).astype(np.float32)
        if teacher.variational:
            size = teacher.latent
            outputs = Outputs(None, found[:, :size], found[:, size:])
        else:
            outputs = Outputs(found, None, None)
        return anomaly_scores(outputs, standardisation, objects)[score]

    # only the encoder of a VAE is there to score with
    score = teacher.score if not teacher.variational or teacher.score != "mse" else "kl"
    test = scores(dataset.sample(BACKGROUND).part(Split.TEST))
    signals = {name: scores(dataset.sample(name).objects) for name in dataset.signals}
    metrics = {
        **to_metrics(separations(test, signals)),
        "bits": float(settings.quantisation.bits),
        "sparsity": _sparsity(network),
    }
    if settings.quantisation.verified:
        metrics |= _verify(settings, dataset, network)
    return Result(metrics, dataset.md5)


def _quantise(
    settings: Settings,
    context: Context,
    dataset: Dataset,
    teacher: TeacherSettings,
    autoencoder: Autoencoder,
    model: "keras.Model",
) -> "Network":
    """Rounds the teacher, and trains it on if that is asked for."""
    from l1distill.compression.pruning import strip, with_zeros_held
    from l1distill.compression.qat import quantised_loss, to_qkeras
    from l1distill.firmware.layers import Conv2D, Dense
    from l1distill.firmware.ptq import BITS, post_training_quantise
    from l1distill.firmware.qkeras_reader import describe
    from l1distill.models.teachers import deployed
    from l1distill.models.training import Fit, fit, make_deterministic

    chosen = settings.quantisation
    background = dataset.sample(BACKGROUND)
    train = background.part(Split.TRAIN)
    calibration = train[: chosen.calibration].reshape(-1, N_INPUTS)
    part = deployed(autoencoder, model)
    network = post_training_quantise(part, chosen.bits, calibration)
    if chosen.method == "ptq":
        return network
    make_deterministic(settings.seed)
    finest = post_training_quantise(part, BITS[-1], calibration)
    linear = [layer.name for layer in network.layers if isinstance(layer, Dense | Conv2D)]
    held = with_zeros_held(to_qkeras(network, f"{model.name}_qat", finest), linear)
    standardisation = Standardisation.read(settings.teacher_folder / STANDARDISATION)
    decoder = autoencoder.decoder if teacher.variational else None
    whole, loss = quantised_loss(held.model, decoder, standardisation, teacher.beta)
    what = Fit(whole, loss, chosen.training, settings.seed, held.callbacks)
    with context.epochs(f"train with {chosen.bits} bits", chosen.training.epochs) as on_epoch:
        fit(what, [train], [background.part(Split.VALIDATION)], on_epoch, context.checkpoint)
    return describe(strip(held.model))


def _sparsity(network: "Network") -> float:
    """Returns the share of weights that are zero in fixed point, biases apart."""
    from l1distill.firmware.layers import Conv2D, Dense

    kernels = [layer.kernel for layer in network.layers if isinstance(layer, Dense | Conv2D)]
    return float(np.mean(np.concatenate([kernel.ravel() for kernel in kernels]) == 0.0))


def _verify(settings: Settings, dataset: Dataset, network: "Network") -> dict[str, float]:
    """Holds hls4ml's C simulation against the network."""
    from l1distill.firmware import hls
    from l1distill.firmware.network import evaluate
    from l1distill.firmware.tools import Bounds

    chosen = settings.quantisation
    samples = [dataset.sample(name).objects for name in dataset.card.files]
    events = np.concatenate([objects[-chosen.verified :] for objects in samples])
    picked = np.random.default_rng(settings.seed).permutation(len(events))[: chosen.verified]
    x = events[np.sort(picked)].reshape(-1, N_INPUTS)
    bounds = Bounds(chosen.time_limit_s, "quantisation.time_limit_s")
    with tempfile.TemporaryDirectory(prefix="l1distill-quantise-") as name:
        hls.write_hls_project(network, settings.device, Path(name))
        simulated = hls.simulate_hls(Path(name), x, network, bounds)
    mismatches = int((simulated != evaluate(network, x)).any(axis=1).sum())
    return {"mismatches": float(mismatches), "verified_events": float(len(x))}


STAGE = Stage(
    name="quantise",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("*.json",),
)

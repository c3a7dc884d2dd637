"""quantize: a trained teacher in; the same in fixed point, bit for bit, and its figures out."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.quantization import QuantizationSettings
from l1distill.data.splits import Split
from l1distill.firmware.devices import Device
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.anomaly.dataset import BACKGROUND, Dataset, open_dataset
from l1distill.tasks.anomaly.standardization import STANDARDIZATION, Standardization
from l1distill.tasks.anomaly.teachers import N_INPUTS, Autoencoder, TeacherSettings, build_teacher
from l1distill.tracking import Record

if TYPE_CHECKING:
    from tensorflow import keras

    from l1distill.firmware.network.network import Network

NETWORK = "network.json"


class Settings(StageSettings):
    """What ``l1distill quantize`` is told."""

    quantization: QuantizationSettings
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
    from l1distill.evaluation.roc import separations, to_metrics
    from l1distill.firmware.network import serialization as network_file
    from l1distill.firmware.network.network import evaluate
    from l1distill.models import keras_files
    from l1distill.tasks.anomaly.autoencoder import Outputs, anomaly_scores

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
    standardization = Standardization.read(settings.teacher_folder / STANDARDIZATION)
    model = keras_files.load(settings.teacher_folder / "teacher.h5")
    network = _quantize(settings, context, dataset, teacher, autoencoder.rebind(model), model)
    network_file.save(network, context.folder / NETWORK)
    standardization.write(context.folder / STANDARDIZATION)

    def scores(objects: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        found = evaluate(network, objects.reshape(-1, N_INPUTS)).astype(np.float32)
        if teacher.variational:
            size = teacher.latent
            outputs = Outputs(None, found[:, :size], found[:, size:])
        else:
            outputs = Outputs(found, None, None)
        return anomaly_scores(outputs, standardization, objects)[score]

    # only the encoder of a VAE is there to score with
    score = teacher.score if not teacher.variational or teacher.score != "mse" else "kl"
    test = scores(dataset.sample(BACKGROUND).part(Split.TEST))
    signals = {name: scores(dataset.sample(name).objects) for name in dataset.signals}
    metrics = {
        **to_metrics(separations(test, signals)),
        "bits": float(settings.quantization.bits),
        "sparsity": _sparsity(network),
    }
    if settings.quantization.verified:
        metrics |= _verify(settings, dataset, network)
    return Result(metrics, dataset.md5)


def _quantize(
    settings: Settings,
    context: Context,
    dataset: Dataset,
    teacher: TeacherSettings,
    autoencoder: Autoencoder,
    model: "keras.Model",
) -> "Network":
    """Rounds the teacher, and trains it on if that is asked for."""
    from l1distill.compression.pruning import strip, with_zeros_held
    from l1distill.compression.ptq import BITS, post_training_quantize
    from l1distill.compression.qat import quantized_loss, to_qkeras
    from l1distill.firmware.network.layers import Conv2D, Dense
    from l1distill.firmware.readers.qkeras import from_qkeras
    from l1distill.tasks.anomaly.teachers import firmware_part
    from l1distill.training.fit import Fit, fit, make_deterministic

    chosen = settings.quantization
    background = dataset.sample(BACKGROUND)
    train = background.part(Split.TRAIN)
    calibration = train[: chosen.calibration].reshape(-1, N_INPUTS)
    part = firmware_part(autoencoder, model)
    network = post_training_quantize(part, chosen.bits, calibration)
    if chosen.method == "ptq":
        return network
    make_deterministic(settings.seed)
    finest = post_training_quantize(part, BITS[-1], calibration)
    linear = [layer.name for layer in network.layers if isinstance(layer, Dense | Conv2D)]
    held = with_zeros_held(to_qkeras(network, f"{model.name}_qat", finest), linear)
    standardization = Standardization.read(settings.teacher_folder / STANDARDIZATION)
    decoder = autoencoder.decoder if teacher.variational else None
    whole, loss = quantized_loss(held.model, decoder, standardization, teacher.beta)
    what = Fit(whole, loss, chosen.training, settings.seed, held.callbacks)
    with context.epochs(f"train with {chosen.bits} bits", chosen.training.epochs) as on_epoch:
        fit(what, [train], [background.part(Split.VALIDATION)], on_epoch, context.checkpoint)
    return from_qkeras(strip(held.model))


def _sparsity(network: "Network") -> float:
    """Returns the share of weights that are zero in fixed point, biases apart."""
    from l1distill.firmware.network.layers import Conv2D, Dense

    kernels = [layer.kernel for layer in network.layers if isinstance(layer, Dense | Conv2D)]
    return float(np.mean(np.concatenate([kernel.ravel() for kernel in kernels]) == 0.0))


def _verify(settings: Settings, dataset: Dataset, network: "Network") -> dict[str, float]:
    """Holds hls4ml's C simulation against the network."""
    from l1distill.firmware.hls import project as hls
    from l1distill.firmware.network.network import evaluate
    from l1distill.firmware.process import TimeLimit

    chosen = settings.quantization
    samples = [dataset.sample(name).objects for name in dataset.card.files]
    events = np.concatenate([objects[-chosen.verified :] for objects in samples])
    picked = np.random.default_rng(settings.seed).permutation(len(events))[: chosen.verified]
    x = events[np.sort(picked)].reshape(-1, N_INPUTS)
    bounds = TimeLimit(chosen.time_limit_s, "quantization.time_limit_s")
    with tempfile.TemporaryDirectory(prefix="l1distill-quantize-") as name:
        hls.write_hls_project(network, settings.device, Path(name))
        simulated = hls.simulate_hls(Path(name), x, network, bounds)
    mismatches = int((simulated != evaluate(network, x)).any(axis=1).sum())
    return {"mismatches": float(mismatches), "verified_events": float(len(x))}


STAGE = Stage(
    name="quantize",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("*.json",),
)

"""quantize: a trained teacher in; the same in fixed point, bit for bit, and its metrics out."""

import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.artifacts.folders import ModelFolder, TeacherFolder
from l1distill.artifacts.record import Record
from l1distill.compression.quantization import QuantizationSettings
from l1distill.compression.teacher import QuantizableTeacher, network_sparsity, quantize_teacher
from l1distill.core.errors import ConfigError
from l1distill.data.dataset import Dataset
from l1distill.data.splits import Split
from l1distill.firmware.devices import VU9P, Device
from l1distill.firmware.network import serialization
from l1distill.firmware.network.network import evaluate
from l1distill.models import keras_files
from l1distill.stages.recorded_teacher import teacher_settings
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.base import Task
from l1distill.tasks.settings import TeacherSettings
from l1distill.training.fit import OnEpoch, ignore_epoch

if TYPE_CHECKING:
    from l1distill.firmware.network.network import Network

NETWORK = "network.json"


class Settings(StageSettings):
    """Settings of ``l1distill quantize``."""

    quantization: QuantizationSettings = QuantizationSettings()
    """Method and bits."""
    device: Device = VU9P
    """What the verified HLS project is written for."""
    teacher_folder: Path = Path("models/teacher")
    """Output of ``l1distill teacher``."""
    output: Path = Path("models/quantized")
    """Folder that the stage writes."""


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder, "teacher": settings.teacher_folder}


def _check(settings: Settings, task: Task) -> None:
    record = Record.read(settings.teacher_folder)
    teacher = _quantizable(task, teacher_settings(task, record), settings.teacher_folder)
    teacher.firmware_answer()  # some scores go on no FPGA


def _run(settings: Settings, context: Context) -> Result:
    task, record = context.task, context.records["teacher"]
    context.run.log_parameters(record.section("teacher", "compression"))
    dataset = task.open(settings.data.folder)
    folder, source = ModelFolder(context.folder), TeacherFolder(settings.teacher_folder)
    teacher = _quantizable(task, teacher_settings(task, record), source.path)
    with _epochs(settings, context) as on_epoch:
        network = quantize_teacher(
            teacher,
            keras_files.load(source.model),
            settings.quantization,
            task.training_arrays(dataset, Split.TRAIN),
            task.training_arrays(dataset, Split.VALIDATION),
            seed=settings.seed,
            on_epoch=on_epoch,
            checkpoint=context.checkpoint,
        )
    serialization.save(network, folder.path / NETWORK)
    folder.copy_constants(source.path, task.constants())
    answers = {
        name: _answers(teacher, network, sample.items.values[dataset.evaluation_rows(name)])
        for name, sample in dataset.samples().items()
    }
    evaluation = task.evaluate(answers, dataset)
    metrics = {
        **evaluation.metrics,
        "bits": float(settings.quantization.bits),
        "sparsity": network_sparsity(network),
    }
    if settings.quantization.verified:
        metrics |= _verify(settings, dataset, teacher, network)
    return Result(metrics=metrics, headline=evaluation.headline, dataset_md5=dataset.md5)


def _epochs(settings: Settings, context: Context) -> AbstractContextManager[OnEpoch]:
    """Show progress where there is a training."""
    chosen = settings.quantization
    if chosen.method == "ptq":
        return nullcontext(ignore_epoch)
    return context.epochs(f"train with {chosen.bits} bits", chosen.training.epochs)


def _quantizable(task: Task, settings: TeacherSettings, constants: Path) -> QuantizableTeacher:
    teacher = task.teacher(settings, constants)
    if not isinstance(teacher, QuantizableTeacher):
        raise ConfigError(
            f"teacher_folder={constants}: a teacher of its kind cannot be brought to fixed point, "
            "so what it would cost on an FPGA is not known; quantize another, or give the "
            "teachers of the task the methods of l1distill.compression.teacher.QuantizableTeacher"
        )
    return teacher


def _answers(
    teacher: QuantizableTeacher, network: "Network", items: NDArray[Any]
) -> NDArray[np.float32]:
    outputs = evaluate(network, teacher.firmware_inputs(items))
    answers: NDArray[np.float32] = teacher.firmware_answers(outputs, items)[
        teacher.firmware_answer()
    ]
    return answers


def _verify(
    settings: Settings, dataset: Dataset, teacher: QuantizableTeacher, network: "Network"
) -> dict[str, float]:
    """Compare hls4ml's C simulation with the network."""
    from l1distill.firmware.hls import project
    from l1distill.firmware.process import TimeLimit

    number = settings.quantization.verified
    events = np.concatenate([s.items.values[-number:] for s in dataset.samples().values()])
    picked = np.random.default_rng(settings.seed).permutation(len(events))[:number]
    x = teacher.firmware_inputs(events[np.sort(picked)])
    limit = TimeLimit(settings.quantization.time_limit_s, "quantization.time_limit_s")
    with tempfile.TemporaryDirectory(prefix="l1distill-quantize-") as name:
        project.write_hls_project(network, settings.device, Path(name))
        simulated = project.simulate_hls(Path(name), x, network, limit)
    mismatches = int((simulated != evaluate(network, x)).any(axis=1).sum())
    return {"mismatches": float(mismatches), "verified_events": float(len(x))}


STAGE = Stage(
    name="quantize",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("*.json",),
    check=_check,
    kept_in_sweeps=True,
)

"""Synthesis of the pipeline's student, verified on the events of its data set."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.artifacts.folders import INPUTS, SATURATION, STUDENT_MODEL, StudentFolder
from l1distill.core.errors import ConfigError
from l1distill.data.dataset import Dataset, items_of
from l1distill.data.encoding import InputEncoding
from l1distill.data.saturation import describe_saturation
from l1distill.distillation.targets import TargetTransform
from l1distill.evaluation.roc import FPR_POINTS
from l1distill.firmware.functions.port_conversion import IntegerPort
from l1distill.firmware.network.network import narrow_ports
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.results.documents import ModelDescription
from l1distill.firmware.results.quantity import Quantity
from l1distill.firmware.synthesis import synthesize
from l1distill.models import keras_files
from l1distill.models.students import quantize_inputs
from l1distill.stages.stage import Context, Result
from l1distill.stages.synthesize_source import StudentSource

if TYPE_CHECKING:
    from l1distill.stages.synthesize import Settings

HEADLINE = ("firmware/latency_ns", "firmware/lut")
ACCEPT = (
    "The accept bit's threshold leaves a share of {:g} of the background's test events in that "
    "data set; the share of what a detector gives may be another."
)
"""What a card says of ``accept_at``."""


def synthesize_student(
    settings: "Settings",
    source: StudentSource,
    context: Context,
    progress: Callable[[str], None],
) -> Result:
    """Turn a student into firmware, verified on events of its data set.

    Args:
        settings: of the stage.
        source: the student.
        context: of the stage.
        progress: is told what is being done.

    Raises:
        DataError: the student cannot be read, or is not supported.
        ConfigError: ``accept_at`` is no working point of the student.
        ToolError: a program is missing or failed.
    """
    folder = StudentFolder(source.student_folder)
    score = settings.score
    if settings.accept_at is not None:
        threshold = threshold_at(settings.accept_at, folder.metrics(), source.student_folder)
        score = type(score).model_validate({**score.model_dump(), "accept": threshold})
    student, encoding = keras_files.load(folder.model), folder.encoding
    dataset = context.task.open(settings.data.folder)
    number = settings.firmware.verification_events
    groups: Sequence[int] = ()
    if settings.firmware.copies > 1 and dataset.boundaries is not None:
        events, groups = choose_whole_events(dataset, number, settings.seed)
    else:
        events = choose_events(dataset, number, settings.seed)
    vectors = quantize_inputs(student).predict(encoding.apply(events), batch_size=4096, verbose=0)
    description = describe_student(context, encoding, len(vectors), folder.metrics(), folder.target)
    if settings.accept_at is not None:
        description = replace(
            description, limitations=(*description.limitations, ACCEPT.format(settings.accept_at))
        )
    ports: Sequence[IntegerPort] = ()
    if settings.ports is not None:
        ports = settings.ports.integer_ports([feature.scale for feature in encoding.features])
        description = replace(description, inputs=settings.ports.quantities())
    signed = [feature.signed for feature in encoding.features]
    steps = [one.step and one.step / one.scale for one in encoding.features]
    firmware = synthesize(
        student,
        vectors,
        settings.firmware,
        model_network=narrow_ports(from_qkeras(student), signed, steps),
        description=description,
        ports=ports,
        groups=groups,
        score=score,
        constants={
            name: (folder.path / name).read_bytes() for name in (INPUTS, *context.task.constants())
        },
        progress=progress,
    )
    firmware.write(context.folder)
    return Result(
        metrics=firmware.report.to_metrics(),
        headline=HEADLINE,
        dataset_md5=dataset.md5,
        describes="student",
    )


def _outputs(target: TargetTransform) -> tuple[Quantity, ...]:
    """Return what the output is where the user chose it, not the task."""
    if target.transform == "above":
        return (Quantity(f"logit of yes: is the teacher's answer above {target.threshold:.6g}?"),)
    if target.transform == "standardized":
        return (Quantity("the teacher's score, standardized over the training sample"),)
    return ()


def threshold_at(fpr: float, metrics: Mapping[str, float], folder: Path) -> float:
    """Return the threshold that a student's evaluation found for a false positive rate.

    Args:
        fpr: the rate.
        metrics: of the student.
        folder: of the student, for the message.

    Raises:
        ConfigError: the student's background did not resolve that rate.
    """
    found = {name: metrics.get(f"threshold_fpr{name}") for name in FPR_POINTS}
    for name, point in FPR_POINTS.items():
        threshold = found[name]
        if threshold is not None and math.isclose(point, fpr):
            return threshold
    resolved = ", ".join(name for name, threshold in found.items() if threshold is not None)
    raise ConfigError(
        f"accept_at={fpr:g}: {folder}/metrics.json has no threshold for that false positive rate; "
        + (f"there are {resolved}" if resolved else "its background has too few test events")
    )


def choose_events(dataset: Dataset, number: int, seed: int) -> NDArray[Any]:
    """Choose items of every sample to verify firmware with.

    Samples beside the training sample fill features and ranges that it seldom reaches.

    Args:
        dataset: of the student.
        number: at most so many.
        seed: of the choice.
    """
    parts = [
        sample.items.values[dataset.evaluation_rows(name)]
        for name, sample in dataset.samples().items()
    ]
    events = np.concatenate(parts)
    picked = np.random.default_rng(seed).choice(
        len(events), min(number, len(events)), replace=False
    )
    chosen: NDArray[Any] = events[np.sort(picked)]
    return chosen


def choose_whole_events(
    dataset: Dataset, number: int, seed: int
) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Choose events of every sample, all of their items together, to verify copies with.

    Args:
        dataset: of the student, whose items are parts of events.
        number: of items that are wanted at least, where there are as many.
        seed: of the choice.

    Returns:
        (n, ...) items, one event behind the other, and how many items each event has.
    """
    samples = dataset.samples()
    events = [
        (name, event)
        for name in samples
        for event in range(
            dataset.evaluation_events(name).start, dataset.evaluation_events(name).stop
        )
    ]
    chosen: list[NDArray[Any]] = []
    for place in np.random.default_rng(seed).permutation(len(events)):
        name, event = events[place]
        sample = samples[name]
        chosen.append(sample.items.values[items_of(slice(event, event + 1), sample.first)])
        if sum(map(len, chosen)) >= number:
            break
    return np.concatenate(chosen), tuple(map(len, chosen))


def describe_student(
    context: Context,
    encoding: InputEncoding,
    verified: int,
    student_metrics: Mapping[str, float],
    target: TargetTransform,
) -> ModelDescription:
    """Return the model card's description of a student.

    Args:
        context: of the stage.
        encoding: of its inputs.
        verified: events of its data set that it is verified on.
        student_metrics: say what its inputs cut off.
        target: what its output was fitted to; the task knows only its own choice of that.
    """
    task, student = context.task.describe(), context.records["student"]
    return ModelDescription(
        title=task.title,
        summary=(
            f"{task.summary}\n\n"
            f"- model: `{STUDENT_MODEL}`, SHA-256 `{student.files[STUDENT_MODEL]}`\n"
            f"- trained on: data set `{student.dataset}`, MD5 `{student.dataset_md5}`\n"
            f"- verified on: {verified} events of its data set, and on random and adversarial ones"
        ),
        inputs=tuple(
            Quantity(name=feature.name, unit=feature.unit, scale=feature.scale)
            for feature in encoding.features
        ),
        outputs=_outputs(target) or task.outputs,
        limitations=(*task.limitations, describe_saturation(student_metrics, SATURATION)),
    )

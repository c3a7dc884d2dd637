"""Names of runs, which tell them apart in a list: stage, architecture, bits, seed, data, task."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SUBJECT = {
    "quantize": "teacher",
    "synthesize": "student",
    "promote": "student",
    "report": "student",
}
"""Whose model the run of a stage is about, where it is not one of its own."""
LONGEST = 200
"""Characters of a name; MLflow's list shows about forty, a tooltip all of them."""
_TRAINING = "training."
_UNSAID = (
    "output",
    "tracking.",
    "executor",
    "require_promotion",
    "dry_run",
    "hydra.",
    "data.folder",
)
_FOLDER = "_folder"
_COVERED = (
    *("task", "seed", "compression.sparsity", "compression.nodes", "compression.features"),
    *("student.filters", "student.layers", "student.weight_bits", "student.activation_bits"),
    *("student.family", "student.beta", "student.trees", "student.depth", "student.leaf_bits"),
    *("quantization.method", "quantization.bits"),
    *("firmware.device.name", "firmware.device.clock_mhz", "model"),
)


def run_name(
    stage: str,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, Any]] | None = None,
    overrides: Sequence[str] = (),
) -> str:
    """Return the name of a stage's run: one rule for all stages.

    Args:
        stage: its name.
        parameters: its configuration, flat.
        inputs: the parameters of the stages that it read from, by their names.
        overrides: of its command line; what the name does not say by itself is added.

    Returns:
        For example ``student 32-16 nodes, 6 bits, seed 2026, anomaly``.
    """
    inputs = inputs or {}
    subject = SUBJECT.get(stage, stage)
    of_subject = parameters if subject == stage else inputs.get(subject, {})
    parts = [*_model(subject, of_subject), *_own(stage, parameters)]
    seed = of_subject.get("seed", parameters.get("seed"))
    if seed is not None:
        parts.append(f"seed {seed}")
    parts += [data for data in (_data(parameters, of_subject),) if data]
    said = ", ".join([*parts, *_unsaid(overrides, {*re.split(r"[, ()]+", " ".join(parts))})])
    name = f"{stage} {said}" if said else stage
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _model(subject: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a model is: its architecture and bits, and what it was reduced to."""
    if subject == "student" and "student.layers" in parameters:
        for what, key in (("filters", "student.filters"), ("nodes", "student.layers")):
            if numbers := _as_list(parameters.get(key, [])):
                yield f"{'-'.join(map(str, numbers))} {what}"
        if "student.activation_bits" in parameters:
            yield _bits(parameters["student.weight_bits"], parameters["student.activation_bits"])
        else:
            yield f"hgq, beta {float(parameters['student.beta']):g}"
    elif subject == "student" and "student.trees" in parameters:
        yield f"{parameters['student.trees']} trees of depth {parameters['student.depth']}"
        yield f"{parameters['student.leaf_bits']} bits"
    elif subject == "teacher":
        yield from _teacher(parameters)
    if subject == "search":  # it says what candidates may be, and is about none of them
        return
    left = [part for unit in ("nodes", "features") if (part := _left(unit, parameters))]
    if left:
        yield f"{' and '.join(left)} left"
    sparsity = parameters.get("compression.sparsity")
    if sparsity is not None and float(sparsity) > 0:
        yield f"{float(sparsity):.0%} pruned"


def _left(unit: str, parameters: Mapping[str, Any]) -> str:
    """Return how many nodes or features a model is left with, or what share; empty for all."""
    amount = str(parameters.get(f"compression.{unit}"))
    if amount == "None":
        return ""
    if amount.isdecimal():
        return f"{amount} {unit}"
    return f"{100 * float(amount):g}% of {unit}" if float(amount) < 1 else ""


def _teacher(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield the architecture of a teacher, and whatever else its task lets one choose."""
    chosen = {
        key.removeprefix("teacher."): value
        for key, value in parameters.items()
        if key.startswith("teacher.") and not key.removeprefix("teacher.").startswith(_TRAINING)
    }
    architecture = chosen.pop("architecture", None)
    if architecture is not None:
        yield str(architecture)
    for key, value in chosen.items():
        if value not in (None, "None"):
            yield f"{key} {'-'.join(map(str, _as_list(value)))}"


def _own(stage: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a stage chooses beside the model that it is about."""
    if stage == "quantize":
        yield f"{parameters['quantization.method']} {parameters['quantization.bits']} bits"
    if stage == "synthesize":
        source = parameters.get("model") or parameters.get("shape.name")
        if source not in (None, "None"):
            yield str(source)
        yield f"{parameters['firmware.device.name']}"
        clock = parameters.get("firmware.device.clock_mhz")
        if clock is not None:
            yield f"{float(clock):g} MHz"
    if stage == "search":
        yield f"{parameters['strategy']}, {parameters['search.candidates']} candidates"
    if stage == "promote" and parameters.get("gate_profile"):
        yield f"gates {parameters['gate_profile']}"


def _data(parameters: Mapping[str, Any], of_subject: Mapping[str, Any]) -> str:
    """Return the task, with the data set where that is called otherwise."""
    task = str(parameters.get("task.name", ""))
    data = of_subject.get("data.name", parameters.get("data.name"))
    return task if data is None or data == task else f"{data} ({task})".removesuffix(" ()")


def _unsaid(overrides: Sequence[str], said: set[str]) -> Iterator[str]:
    """Yield the overrides that change what comes out and that the name does not say yet."""
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key.startswith(_UNSAID) or key.endswith(_FOLDER) or key in _COVERED or not value:
            continue
        if key.startswith("teacher.") and not key.startswith(f"teacher.{_TRAINING}"):
            continue
        if value not in said or value.isdecimal():
            yield f"{key.rpartition('.')[2]} {value}"


def _bits(weight: Any, activation: Any) -> str:
    """Return the widths of weights and activations: one number where they are the same."""
    widths = str(weight) if str(weight) == str(activation) else f"{weight}/{activation}"
    return f"{widths} bits"


def _as_list(value: Any) -> list[Any]:
    """Return a value as a list; MLflow gives back lists as text."""
    if isinstance(value, str) and re.fullmatch(r"\[.*\]|\(.*\)", value):
        return list(json.loads(f"[{value[1:-1]}]"))
    return list(value) if isinstance(value, list | tuple) else [value]

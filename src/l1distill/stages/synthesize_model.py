"""Any other model's way to firmware: read from wherever it is, and verified on made events."""

import hashlib
import math
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.ptq import post_training_quantize
from l1distill.core.workspace import file_sha256, folder_sha256
from l1distill.firmware.cost import estimate
from l1distill.firmware.files import NETWORK
from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.functions.error_head import ErrorHead
from l1distill.firmware.functions.score_head import with_score
from l1distill.firmware.network import serialization as network_file
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.readers.keras_graph import input_shape
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.results.documents import ANY_NETWORK
from l1distill.firmware.synthesis import synthesize
from l1distill.firmware.verification.events import read_events
from l1distill.firmware.verification.reference import predict_keras
from l1distill.models.import_keras import is_quantized, load_foreign
from l1distill.models.untrained import build_untrained
from l1distill.stages.stage import Context, Result
from l1distill.tasks.base import Task
from l1distill.tracking.fetch import fetch_keras, is_uri

if TYPE_CHECKING:
    from l1distill.stages.synthesize import Settings


class _Loaded(NamedTuple):
    """A model, and the SHA-256 of what it was read from."""

    model: Any
    sources: dict[str, str]
    error_head: ErrorHead | None = None
    """The task's error of one of its teachers, where that is the score."""


def synthesize_model(settings: "Settings", context: Context, say: Callable[[str], None]) -> Result:
    """Turns a model, or an untrained network, into firmware that comes without a data set.

    What the network is and what it is estimated to cost is logged before the first tool starts:
    a run that fails has said that.

    Args:
        settings: of the stage.
        context: of the stage.
        say: is told what goes on.

    Raises:
        ConfigError: the model cannot be read, or is not supported.
    """
    loaded, sources, error_head = _load(settings, context.task)
    context.run.set_tags({f"{name}_sha256": sha256 for name, sha256 in sources.items()})
    precision = settings.precision
    functions = FunctionApproximator(precision.bits, precision.pieces, precision.softmax)
    quantized = isinstance(loaded, Network) or is_quantized(loaded)
    metrics: dict[str, float] = {}
    if isinstance(loaded, Network):
        network = loaded
    elif quantized:
        network = from_qkeras(loaded, functions)
    else:
        say(f"rounding a model in floating point to {precision.bits} bits")
    if not quantized or functions.notes:
        events = _calibration(settings, math.prod(input_shape(loaded)))
        if not quantized:
            network = post_training_quantize(loaded, precision.bits, events, functions=functions)
        metrics = _differences(loaded, network, events, functions)
    whole = with_score(network, settings.score, error_head).network
    metrics |= {
        f"cost/{name}": float(value)
        for name, value in asdict(estimate(whole, settings.firmware.latency_cutoff_ns)).items()
    }
    context.run.log_metrics(metrics)
    x = None
    if settings.events is not None:
        events = read_events(settings.events, network.inputs, "events")
        x = network.to_port_values(events) * network.input_units
        sources["events"] = file_sha256(settings.events)
    firmware = synthesize(
        loaded if quantized and not functions.notes else network,
        x,
        settings.firmware,
        description=replace(ANY_NETWORK, limitations=functions.notes),
        score=settings.score,
        error_head=error_head,
        progress=say,
    )
    firmware.write(context.folder)
    md5 = hashlib.md5(repr(sorted(sources.items())).encode(), usedforsecurity=False).hexdigest()
    return Result(
        metrics={**firmware.report.to_metrics(), **metrics},
        dataset_md5=md5,
        dataset="random" if settings.events is None else settings.events.name,
        sources=sources,
    )


def _load(settings: "Settings", task: Task) -> _Loaded:
    if settings.model is None:
        assert settings.shape is not None
        shape = f"{settings.shape.model_dump_json()} {settings.seed}"
        model = build_untrained(settings.shape, settings.seed)
        return _Loaded(model, {"shape": hashlib.sha256(shape.encode()).hexdigest()})
    with tempfile.TemporaryDirectory(prefix="l1distill-model-") as name:
        is_remote = is_uri(settings.model)
        path = fetch_keras(settings.model, Path(name)) if is_remote else Path(settings.model)
        ours = path / NETWORK if path.is_dir() else path
        is_network = ours.name == NETWORK and ours.is_file()
        loaded = network_file.load(ours) if is_network else load_foreign(path, settings.weights)
        sources = {"model": folder_sha256(path) if path.is_dir() else file_sha256(path)}
        error_head = None
        if settings.score.kind == "mse" and is_network:
            error_head = task.error_head(ours.parent)
            for constants in filter(Path.is_file, map(ours.parent.joinpath, task.constants())):
                sources[constants.stem] = file_sha256(constants)
    if settings.weights is not None and settings.weights.is_file():
        sources["weights"] = file_sha256(settings.weights)
    return _Loaded(loaded, sources, error_head)


def _differences(
    model: Any, network: Network, events: NDArray[Any], functions: FunctionApproximator
) -> dict[str, float]:
    """Returns how far a network is from its model, which is not exact in fixed point."""
    given = network.to_port_values(events) * network.input_units
    wanted = predict_keras(model, events.astype(np.float32).reshape(-1, *model.input_shape[1:]))
    apart = np.abs(evaluate(network, given) - wanted)
    if functions.classes:
        if isinstance(model.output_shape, list):  # other ends beside it
            return {}
        same = np.argmax(wanted, axis=1) == np.argmax(evaluate(network, given), axis=1)
        return {"precision/same_class": float(same.mean())}
    found = {
        "precision/bits": float(functions.bits),
        "precision/mean_abs_difference": float(apart.mean()),
        "precision/max_abs_difference": float(apart.max()),
        "precision/rms_of_model": float(np.sqrt(np.mean(wanted**2))),
    }
    if functions.errors:
        found["precision/max_function_error"] = max(functions.errors.values())
    return found


def _calibration(settings: "Settings", inputs: int) -> NDArray[Any]:
    precision = settings.precision
    for path, setting in (
        (precision.calibration, "precision.calibration"),
        (settings.events, "events"),
    ):
        if path is not None:
            return read_events(path, inputs, setting)
    rng = np.random.default_rng(settings.seed)
    return rng.uniform(-precision.input_range, precision.input_range, (2048, inputs))

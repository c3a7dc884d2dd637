"""Synthesis of a model from elsewhere, or of an untrained network: without a data set."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from l1distill.compression.to_network import QuantizedModel, to_network
from l1distill.core.errors import DataError, L1DistillError, first_line
from l1distill.core.workspace import file_sha256, folder_sha256
from l1distill.firmware.cost import estimate
from l1distill.firmware.functions.error_head import ErrorHead
from l1distill.firmware.functions.port_conversion import IntegerPort
from l1distill.firmware.functions.score_head import with_score
from l1distill.firmware.network import serialization
from l1distill.firmware.network.network import Network
from l1distill.firmware.results.documents import ModelDescription
from l1distill.firmware.settings import PrecisionSettings
from l1distill.firmware.synthesis import synthesize
from l1distill.firmware.verification.events import read_events
from l1distill.models.import_keras import load_keras_model
from l1distill.models.untrained import build_untrained
from l1distill.stages.stage import Context, Result
from l1distill.stages.synthesize_source import ModelSource, ShapeSource, find_network
from l1distill.tasks.base import Task
from l1distill.tracking.fetch import fetch_keras, is_uri

if TYPE_CHECKING:
    from l1distill.stages.synthesize import Settings


@dataclass(frozen=True)
class LoadedModel:
    """A model, and the SHA-256 of each file or shape that it was read from."""

    model: Any
    sha256: Mapping[str, str]
    error_head: ErrorHead | None = None
    """The task's error of one of its teachers, where that is the score."""


def synthesize_model(
    settings: "Settings",
    source: ModelSource | ShapeSource,
    context: Context,
    progress: Callable[[str], None],
) -> Result:
    """Turn a model, or an untrained network, into firmware.

    Its differences from a model in floating point and its estimated cost are logged before the
    first tool starts, so that a run that fails has them.

    Args:
        settings: of the stage.
        source: the model or shape.
        context: of the stage.
        progress: is told what is being done.

    Raises:
        DataError: the model or the events cannot be read, or are not supported.
        ToolError: a program is missing or failed.
    """
    loaded = _load(settings, source, context.task)
    context.run.set_tags({f"{name}_sha256": value for name, value in loaded.sha256.items()})
    precision = source.precision if isinstance(source, ModelSource) else PrecisionSettings()
    with _unforeseen_as_one_line(source):
        quantized = to_network(
            loaded.model, precision, _calibration_reader(settings), progress, settings.seed
        )
    metrics = {**quantized.metrics, **_cost(settings, quantized.network, loaded)}
    context.run.log_metrics(metrics)
    sha256, events = loaded.sha256, None
    if source.events is not None:
        values = read_events(source.events, quantized.network.inputs, "events")
        events = quantized.network.to_port_values(values) * quantized.network.input_units
        sha256 = {**sha256, "events": file_sha256(source.events)}
    description = _describe(source, loaded, quantized)
    ports: Sequence[IntegerPort] = ()
    if settings.ports is not None:
        ports = settings.ports.integer_ports([1.0] * quantized.network.inputs)
        description = replace(description, inputs=settings.ports.quantities())
    firmware = synthesize(
        quantized.reference,
        events,
        settings.firmware,
        description=description,
        model_network=quantized.network,
        ports=ports,
        score=settings.score,
        error_head=loaded.error_head,
        progress=progress,
    )
    firmware.write(context.folder)
    identity = repr(sorted(sha256.items())).encode()
    return Result(
        metrics={**firmware.report.to_metrics(), **metrics},
        dataset_md5=hashlib.md5(identity, usedforsecurity=False).hexdigest(),
        dataset="random" if source.events is None else source.events.name,
        sources=sha256,
    )


@contextmanager
def _unforeseen_as_one_line(source: ModelSource | ShapeSource) -> Iterator[None]:
    """Turn what a model of a kind that no reader foresees makes one raise into one line.

    Raises:
        DataError: there was an error that is none of ours, about a model from elsewhere.
    """
    try:
        yield
    except (L1DistillError, MemoryError, OSError):
        raise
    except Exception as error:
        if not isinstance(source, ModelSource):
            raise
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise DataError(
            f"model={source.model}: cannot be read ({reason}); --debug shows where"
        ) from error


def _describe(
    source: ModelSource | ShapeSource, loaded: LoadedModel, quantized: QuantizedModel
) -> ModelDescription:
    """Say where a model comes from, and how far the network is from it."""
    hashes = ", ".join(f"{name} {value}" for name, value in loaded.sha256.items())
    if isinstance(source, ShapeSource):
        title, origin = "An untrained network", f"the shape {source.shape.model_dump_json()}"
    else:
        # without its folder: the same model gives the same bundle wherever it is
        name = source.model if is_uri(source.model) else Path(source.model).name
        title, origin = "A quantized network", f"`{name}`"
    return ModelDescription(
        title=title,
        summary=f"Made of {origin} (SHA-256: {hashes}).",
        differences=quantized.differences,
        limitations=quantized.limitations,
    )


def _load(settings: "Settings", source: ModelSource | ShapeSource, task: Task) -> LoadedModel:
    if isinstance(source, ShapeSource):
        shape = f"{source.shape.model_dump_json()} {settings.seed}"
        model = build_untrained(source.shape, settings.seed)
        return LoadedModel(model, {"shape": hashlib.sha256(shape.encode()).hexdigest()})
    if not is_uri(source.model):
        return _load_path(Path(source.model), settings, source, task)
    with tempfile.TemporaryDirectory(prefix="l1distill-model-") as folder:
        return _load_path(fetch_keras(source.model, Path(folder)), settings, source, task)


def _load_path(path: Path, settings: "Settings", source: ModelSource, task: Task) -> LoadedModel:
    network = find_network(path)
    with _unforeseen_as_one_line(source):
        model = serialization.load(network) if network else load_keras_model(path, source.weights)
    sha256 = {"model": folder_sha256(path) if path.is_dir() else file_sha256(path)}
    error_head = None
    if settings.score.kind == "mse" and network is not None:
        error_head = task.error_head(network.parent)
        for constants in filter(Path.is_file, map(network.parent.joinpath, task.constants())):
            sha256[constants.stem] = file_sha256(constants)
    if source.weights is not None and source.weights.is_file():
        sha256["weights"] = file_sha256(source.weights)
    return LoadedModel(model, sha256, error_head)


def _calibration_reader(settings: "Settings") -> Callable[[int], NDArray[Any]] | None:
    """Return what reads the events that ranges are chosen on; None where no file has any."""
    for path, key in (
        (settings.precision.calibration, "precision.calibration"),
        (settings.events, "events"),
    ):
        if path is not None:
            return partial(_read_calibration, path, key)
    return None


def _read_calibration(path: Path, key: str, inputs: int) -> NDArray[Any]:
    return read_events(path, inputs, key)


def _cost(settings: "Settings", network: Network, loaded: LoadedModel) -> dict[str, float]:
    """Estimate the cost of a network with its score."""
    scored = with_score(network, settings.score, loaded.error_head).network
    cost = estimate(scored, settings.firmware.latency_cutoff_ns)
    return {f"cost/{name}": float(value) for name, value in asdict(cost).items()}

"""The source of ``l1distill synthesize``: the pipeline's student, a model, or an untrained shape.

On the command line the keys of all three stand side by side (``model=``, ``shape=``,
``student_folder=``); :func:`choose_source` makes one tagged source of them.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from l1distill.artifacts.folders import StudentFolder
from l1distill.core.errors import DataError
from l1distill.core.settings import Settings
from l1distill.firmware.files import NETWORK
from l1distill.firmware.network.serialization import load as load_network
from l1distill.firmware.settings import PrecisionSettings
from l1distill.models.import_keras import check_files, load_keras_model
from l1distill.models.untrained import ShapeSettings
from l1distill.tracking.fetch import is_uri


class StudentSource(Settings):
    """The student of the pipeline, verified on the events of its data set."""

    kind: Literal["student"] = "student"
    student_folder: Path

    def count_inputs(self) -> int:
        """Return how many inputs the network has."""
        return len(StudentFolder(self.student_folder).encoding.features)


class ModelSource(Settings):
    """A model from elsewhere, or what ``l1distill quantize`` wrote; needs no data set."""

    kind: Literal["model"] = "model"
    model: str
    weights: Path | None = None
    events: Path | None = None
    precision: PrecisionSettings = PrecisionSettings()

    def check_files(self) -> None:
        """Check that all files are there, before anything is imported or opened.

        Raises:
            DataError: a file is missing; the line names its key.
        """
        if not is_uri(self.model) and find_network(Path(self.model)) is None:
            check_files(Path(self.model), self.weights)
        _check_file(self.events, "events")
        _check_file(self.precision.calibration, "precision.calibration")

    def count_inputs(self) -> int | None:
        """Return how many inputs the model has; ``None`` of one that is still to be fetched.

        Raises:
            DataError: the model cannot be read.
        """
        if is_uri(self.model):
            return None
        network = find_network(Path(self.model))
        if network is not None:
            return load_network(network).inputs
        model = load_keras_model(Path(self.model), self.weights)
        return sum(int(math.prod(tensor.shape[1:])) for tensor in model.inputs)


class ShapeSource(Settings):
    """A network with random weights, which nobody has trained."""

    kind: Literal["shape"] = "shape"
    shape: ShapeSettings
    events: Path | None = None

    def check_files(self) -> None:
        """Check that the events are there; see :meth:`ModelSource.check_files`."""
        _check_file(self.events, "events")

    def count_inputs(self) -> int:
        """Return how many inputs the network has."""
        return self.shape.inputs


Source = Annotated[StudentSource | ModelSource | ShapeSource, Field(discriminator="kind")]
_SOURCES: dict[str, type[Settings]] = {
    "student": StudentSource,
    "model": ModelSource,
    "shape": ShapeSource,
}
_ALWAYS_GIVEN = {"student_folder", "precision"}
"""Keys with a value of their own in the configuration, which other sources pass over."""


def choose_source(keys: Mapping[str, Any]) -> StudentSource | ModelSource | ShapeSource:
    """Make the tagged source of the keys that stand side by side in the configuration.

    Args:
        keys: the values of ``student_folder``, ``model``, ``shape``, ``weights``, ``events`` and
            ``precision``, ``None`` for a key that is left out.

    Raises:
        ValueError: keys of different sources are given; the line names them.
    """
    if keys["model"] is not None and keys["shape"] is not None:
        raise ValueError("shape= is a network of its own; leave model= out, or shape=")
    kind = next((name for name in ("model", "shape") if keys[name] is not None), "student")
    fields = _SOURCES[kind].model_fields
    for key in sorted(set(keys) - set(fields) - _ALWAYS_GIVEN):
        if keys[key] is not None:
            raise ValueError(f"{key}= goes with a model=; name that as well")
    own = {key: value for key, value in keys.items() if key in fields}
    return _ADAPTER.validate_python({"kind": kind, **own})


_ADAPTER: TypeAdapter[StudentSource | ModelSource | ShapeSource] = TypeAdapter(Source)


def find_network(path: Path) -> Path | None:
    """Find the network that ``l1distill quantize`` or a synthesis wrote into a folder.

    Args:
        path: the folder, or its ``network.json``.

    Returns:
        The path of ``network.json``; ``None`` where there is none.
    """
    network = path / NETWORK if path.is_dir() else path
    return network if network.name == NETWORK and network.is_file() else None


def _check_file(path: Path | None, key: str) -> None:
    if path is not None and not path.is_file():
        raise DataError(f"{key}={path}: no such file")

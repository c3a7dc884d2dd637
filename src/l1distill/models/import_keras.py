"""Imports Keras and QKeras models that were saved elsewhere: HDF5, archive, SavedModel or JSON."""

import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l1distill.core.errors import ConfigError, DataError, L1DistillError, first_line
from l1distill.core.logging import silence_library
from l1distill.models.hgq_model import load_hgq
from l1distill.models.keras_archive import (
    has_layout,
    read_archive,
    set_named_weights,
    set_weights,
)
from l1distill.models.keras_config import Translator, is_keras3
from l1distill.models.known_classes import (
    PRUNING_WRAPPER,
    custom_objects,
    is_hgq_config,
    refuse_foreign,
    without_pruning,
)

if TYPE_CHECKING:
    from tensorflow import keras

FORMS = "HDF5, .keras, a SavedModel folder, or an architecture as JSON with weights="
_METADATA = "keras_metadata.pb"
"""Where a SavedModel says which Keras layers it is made of."""
_UNKNOWN_CLASS = re.compile(r"Unknown (?:layer|\w+): '?(\w+)'?")


def check_files(path: Path, weights: Path | None = None) -> None:
    """Check that the files of a model are there and belong together, without reading them.

    Args:
        path: of the model; see :func:`load_keras_model`.
        weights: of the model, if it is JSON.

    Raises:
        ConfigError: the weights do not go with the model.
        DataError: a file is missing, or no model.
    """
    if not path.exists():
        raise DataError(f"model={path}: no such file or folder")
    is_json = path.suffix == ".json"
    if is_json and weights is None:
        raise ConfigError(f"model={path}: is an architecture alone; name its weights= as well")
    if weights is not None and not is_json:
        raise ConfigError(f"weights={weights}: go with an architecture as JSON; leave weights= out")
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise DataError(f"model={path}: holds no saved_model.pb; give {FORMS}")
    # a TensorFlow checkpoint is several files whose names begin so
    if weights is not None and not list(weights.parent.glob(f"{weights.name}*")):
        raise DataError(f"weights={weights}: no such file")


def load_keras_model(path: Path, weights: Path | None = None) -> "keras.Model":
    """Read a Keras model with its weights, of Keras 2 or 3, QKeras or qkeras-v3.

    What Keras 3 or an archive holds is read at file level: its configuration is translated to that
    of Keras 2, and the arrays have to be of the shapes that the layers then have. Wrappers of
    tfmot's pruning are taken off.

    Args:
        path: an HDF5 file, an archive (``.keras``), a SavedModel folder, or the JSON of
            ``model.to_json()``.
        weights: for JSON, the file of ``model.save_weights()``, HDF5 or a TensorFlow checkpoint.

    Returns:
        The model, not compiled.

    Raises:
        ConfigError: the weights do not go with the model.
        DataError: a file is missing, or is no such model.
    """
    check_files(path, weights)
    try:
        with silence_library("tensorflow"):
            model = without_pruning(_load(path, weights))
    except DataError as error:
        if str(error).startswith(("model=", "weights=")):
            raise
        raise DataError(f"model={path}: {error}") from error
    except L1DistillError:
        raise
    except Exception as error:  # Keras has no error of its own for what it cannot read
        raise DataError(f"model={path}: {_reason(error)}; give {FORMS}") from error
    _check_graph(model, path)
    return _with_listed_ends(model)


def is_quantized(model: "keras.Model") -> bool:
    """Tell a QKeras model, which brings its own precision, from one in floating point."""
    for layer in model.layers:
        layer = layer.layer if type(layer).__name__ == "TimeDistributed" else layer
        if hasattr(layer, "layers"):
            if is_quantized(layer):
                return True
        elif type(layer).__module__.startswith("qkeras") or type(layer).__name__ in (
            "QuantizedBatchNormalization",
            "FixedPointQuantizer",
        ):
            return True
    return False


def _load(path: Path, weights: Path | None) -> Any:
    if path.is_dir():
        return _from_saved_model(path)
    if weights is not None:
        return _from_json(path, weights)
    if zipfile.is_zipfile(path):
        config, content = read_archive(path)
        if is_hgq_config(config):
            return load_hgq(path)
        model = _build(config)
        set_weights(model, content)
        return model
    return _from_hdf5(path)


def _from_saved_model(path: Path) -> Any:
    from tensorflow import keras

    metadata = path / _METADATA
    content = metadata.read_bytes() if metadata.is_file() else b""
    refuse_foreign(
        [{"class_name": name.decode()} for name in re.findall(rb'"class_name": "(\w+)"', content)]
    )
    with keras.utils.custom_object_scope(custom_objects(PRUNING_WRAPPER.encode() in content)):
        return keras.models.load_model(path, compile=False)


def _from_hdf5(path: Path) -> Any:
    import h5py
    from tensorflow import keras

    if not h5py.is_hdf5(path):
        raise DataError(f"model={path}: is no HDF5 file and no archive; give {FORMS}")
    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            if has_layout(file) or "layer_names" in file.attrs:
                raise DataError(
                    f"model={path}: holds weights alone; give the JSON of model.to_json() as "
                    "model= and this file as weights="
                )
            raise DataError(f"model={path}: is HDF5 without a Keras model; give {FORMS}")
        config = json.loads(file.attrs["model_config"])
        refuse_foreign(config)
        if is_hgq_config(config):
            return load_hgq(path)
        # a wrapper of pruning cannot read all that it wrote of a QKeras layer
        if is_keras3(config) or PRUNING_WRAPPER in json.dumps(config):
            model = _build(config)
            set_named_weights(model, file["model_weights"])
            return model
    return keras.models.load_model(path, custom_objects=custom_objects(), compile=False)


def _from_json(path: Path, weights: Path) -> Any:
    import h5py

    config = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or "class_name" not in config:
        raise DataError(f"model={path}: is not what model.to_json() writes")
    model = _build(config)
    try:
        if weights.is_file() and h5py.is_hdf5(weights):
            with h5py.File(weights) as file:
                is_layout = has_layout(file)
            if is_layout:
                set_weights(model, weights)
                return model
        status = model.load_weights(str(weights))
        if hasattr(status, "assert_existing_objects_matched"):  # a checkpoint
            status.assert_existing_objects_matched()
    except Exception as error:
        raise DataError(
            f"weights={weights}: do not fit the architecture of model={path} ({first_line(error)})"
        ) from error
    return model


def _build(config: Any) -> Any:
    """Build a model, without its weights, of any configuration of Keras."""
    from keras.src.layers.serialization import deserialize  # type: ignore[import-untyped]
    from tensorflow import keras

    refuse_foreign(config)
    from_keras3 = is_keras3(config)
    objects = custom_objects(PRUNING_WRAPPER in json.dumps(config))
    if from_keras3:
        from l1distill.models.qkeras_v3 import quantized_bits

        objects["quantized_bits"] = quantized_bits
    translated = Translator(objects, from_keras3).translate(config)
    with keras.utils.custom_object_scope(objects):
        return deserialize(translated, use_legacy_format=True)


def _reason(error: Exception) -> str:
    """Return in a few words why Keras cannot read a model."""
    unknown = _UNKNOWN_CLASS.search(str(error))
    if unknown is not None:
        return f"has a layer of a class {unknown[1]}, which neither Keras 2 nor QKeras has"
    return f"cannot be read as a Keras model ({first_line(error)})"


def _with_listed_ends(model: Any) -> Any:
    """Return a model whose inputs and outputs are lists; a dictionary's come by their names."""
    from tensorflow import keras

    if all(map(_is_list_of_tensors, (model.input, model.output))):
        return model
    return keras.Model(model.inputs, model.outputs, name=model.name)


def _is_list_of_tensors(structure: Any) -> bool:
    parts = structure if isinstance(structure, list) else [structure]
    return not any(isinstance(part, dict | list | tuple) for part in parts)


def _check_graph(model: Any, path: Path) -> None:
    """Refuse a model that is no graph of layers.

    Raises:
        DataError: its calls are Python, or it has no input shape.
    """
    if not hasattr(model, "layers") or not hasattr(model, "get_config"):
        raise DataError(
            f"model={path}: a SavedModel without Keras layers; save the model by model.save()"
        )
    if not getattr(model, "_is_graph_network", False):
        if hasattr(model, "add"):
            raise DataError(f"model={path}: has no input shape; begin it with keras.Input(...)")
        raise DataError(
            f"model={path}: a subclassed keras.Model, whose call() is Python and no graph of "
            "layers; save keras.Model(inputs, outputs) of the same layers"
        )

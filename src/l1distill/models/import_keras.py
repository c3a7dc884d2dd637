"""Imports Keras 2 and QKeras models that were saved elsewhere: HDF5, SavedModel or JSON."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l1distill.core.errors import ConfigError, DataError, L1DistillError, first_line
from l1distill.core.logging import silence_library

if TYPE_CHECKING:
    from tensorflow import keras

FORMS = "HDF5, a SavedModel folder, or an architecture as JSON with weights="


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
    """Read a Keras model with its weights.

    Args:
        path: an HDF5 file, a SavedModel folder, or the JSON of ``model.to_json()``.
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
            if weights is not None:
                model = _from_json(path)
                _load_weights(model, weights)
            else:
                model = _load(path)
    except L1DistillError:
        raise
    except Exception as error:  # Keras has no error of its own for what it cannot read
        raise DataError(
            f"model={path}: cannot be read as a Keras 2 model ({first_line(error)}); give {FORMS}"
        ) from error
    if not hasattr(model, "layers") or not hasattr(model, "get_config"):
        raise DataError(f"model={path}: a SavedModel without Keras layers; save it from Keras")
    return model


def is_quantized(model: "keras.Model") -> bool:
    """Tell a QKeras model, which brings its own precision, from one in floating point."""
    for layer in model.layers:
        layer = layer.layer if type(layer).__name__ == "TimeDistributed" else layer
        if hasattr(layer, "layers"):
            if is_quantized(layer):
                return True
        elif type(layer).__module__.startswith("qkeras") or type(layer).__name__ == (
            "QuantizedBatchNormalization"
        ):
            return True
    return False


def _load(path: Path) -> Any:
    from tensorflow import keras

    if path.suffix == ".keras":
        raise DataError(f"model={path}: Keras' archive does not keep quantizers; save it as HDF5")
    return keras.models.load_model(path, custom_objects=_custom_objects(), compile=False)


def _from_json(path: Path) -> Any:
    from keras.src.layers.serialization import deserialize  # type: ignore[import-untyped]

    config = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or "class_name" not in config:
        raise DataError(f"model={path}: is not what model.to_json() writes")
    return deserialize(_as_hdf5(config), custom_objects=_custom_objects(), use_legacy_format=True)


def _load_weights(model: Any, weights: Path) -> None:
    status = model.load_weights(str(weights))
    if hasattr(status, "assert_existing_objects_matched"):  # a checkpoint
        status.assert_existing_objects_matched()


def _as_hdf5(config: Any) -> Any:
    """Return the configuration of a JSON file as HDF5 files have it."""
    from qkeras import get_quantizer

    if isinstance(config, list):
        return [_as_hdf5(entry) for entry in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: _as_hdf5(value) for key, value in config.items()}
    dropped = ("module", "registered_name", "build_config", "compile_config")
    entry = {key: _as_hdf5(value) for key, value in config.items() if key not in dropped}
    registered = config.get("registered_name") or ""
    if ">" in registered and not registered.startswith("Custom>"):
        entry["class_name"] = registered
    if entry["class_name"] == "QActivation" and isinstance(entry["config"]["activation"], dict):
        # it takes what it gets, and a dictionary for a quantizer
        entry["config"]["activation"] = get_quantizer(entry["config"]["activation"])
    return entry


def _custom_objects() -> dict[str, Any]:
    """Return the classes of QKeras; our own are known to Keras once they are imported."""
    from qkeras.utils import _add_supported_quantized_objects

    import l1distill.models.batch_normalization
    import l1distill.models.select_elements  # noqa: F401 (both make their layer known)

    objects: dict[str, Any] = {}
    _add_supported_quantized_objects(objects)
    return objects

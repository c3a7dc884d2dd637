"""Reads the weights of Keras archives (``.keras``) and of ``.weights.h5``, layer by layer.

Keras 2.13 and later, Keras 3 and qkeras-v3 write them alike (``saving_lib.py``): a group for each
layer, ``layers/dense_1/vars/0``, ``1``, ..., numbered among the layers of its class. Later versions
of Keras 3 note the layer's name beside that.
"""

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from l1distill.core.errors import DataError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
_LAYERS = ("layers", "_layer_checkpoint_dependencies")
"""Names of the group that holds the layers of a model; Keras 2.12 has the second."""
_NO_WEIGHTS = ("seed_generator", "metrics", "optimizer")
"""Parts of a file that a model does not need to predict."""


def read_archive(path: Path) -> tuple[Any, bytes]:
    """Read an archive of Keras.

    Returns:
        The configuration of its model, and the content of its HDF5 file of weights.

    Raises:
        DataError: it is no such archive, or its weights are no HDF5.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if CONFIG not in names:
            raise DataError(f"model={path}: an archive without {CONFIG}; save it from Keras")
        if WEIGHTS not in names:
            raise DataError(f"model={path}: an archive without {WEIGHTS}; save its weights as HDF5")
        return json.loads(archive.read(CONFIG)), archive.read(WEIGHTS)


def has_layout(file: Any) -> bool:
    """Tell whether an open HDF5 file has the layout of an archive's weights."""
    return any(name in file for name in _LAYERS) and "layer_names" not in file.attrs


def set_weights(model: Any, content: bytes | Path) -> None:
    """Give a model its weights.

    Args:
        model: a Keras 2 model of the archive's configuration.
        content: the HDF5 file of weights, or its path.

    Raises:
        DataError: the file does not hold exactly the arrays that the layers have, of their shapes.
    """
    import h5py

    with h5py.File(io.BytesIO(content) if isinstance(content, bytes) else content) as file:
        _set_layers(model, file)


def set_named_weights(model: Any, group: Any) -> None:
    """Give a model the weights of an HDF5 file that holds the model too, by the layers' names.

    Raises:
        DataError: see :func:`set_weights`.
    """
    from keras.src.saving.legacy.hdf5_format import (  # type: ignore[import-untyped]
        load_subset_weights_from_hdf5_group,
    )

    for layer in model.layers:
        variables = [*layer.trainable_weights, *layer.non_trainable_weights]
        arrays = []
        if layer.name in group:
            arrays = load_subset_weights_from_hdf5_group(group[layer.name])
        check_shapes(layer, arrays, variables)
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _set_layers(model: Any, group: Any) -> None:
    name = next((name for name in _LAYERS if name in group), None)
    children = {} if name is None else dict(group[name].items())
    by_name = {
        child["vars"].attrs["name"]: child
        for child in children.values()
        if "vars" in child and "name" in child["vars"].attrs
    }
    numbered: Counter[str] = Counter()
    taken = set()
    for layer in model.layers:
        kind = _snake_case(type(layer).__name__)
        number = numbered[kind]
        numbered[kind] += 1
        child = by_name.get(layer.name, children.get(f"{kind}_{number}" if number else kind))
        if child is not None:
            taken.add(child.name)
            _set_layer(layer, child)
        elif layer.weights:
            raise DataError(f"layer {layer.name}: there are no weights of it in the file")
    for child in children.values():
        if child.name not in taken and any(_arrays(child)):
            raise DataError(f"weights {child.name}: belong to no layer of the model")


def _set_layer(layer: Any, group: Any) -> None:
    """Set the weights of a layer, of the layers within it, and of a model."""
    if hasattr(layer, "layers"):
        _set_layers(layer, group)
    own = [] if hasattr(layer, "layers") else _own_weights(layer)
    stored = group.get("vars", {})
    # beside numbers there may be names, of counters of training steps
    numbers = sorted(int(name) for name in stored if name.isdigit())
    arrays = [np.asarray(stored[str(number)]) for number in numbers]
    check_shapes(layer, arrays, own)
    for variable, array in zip(own, arrays, strict=True):
        variable.assign(array)
    for name, child in group.items():
        if name in ("vars", *_LAYERS, *_NO_WEIGHTS) or not any(_arrays(child)):
            continue
        inner = getattr(layer, name, None)
        if not hasattr(inner, "_trainable_weights"):
            raise DataError(f"layer {layer.name}: weights {child.name} belong to no part of it")
        _set_layer(inner, child)


def _own_weights(layer: Any) -> list[Any]:
    return [*layer._trainable_weights, *layer._non_trainable_weights]


def check_shapes(layer: Any, arrays: list[Any], variables: list[Any]) -> None:
    """Refuse arrays that are not of the shapes of a layer's weights.

    Raises:
        DataError: there are more, fewer or others; the line names the layer and both shapes.
    """
    stored = [tuple(array.shape) for array in arrays]
    expected = [tuple(variable.shape) for variable in variables]
    if stored != expected:
        raise DataError(
            f"layer {layer.name} ({type(layer).__name__}): its weights in the file have the shapes "
            f"{_listed(stored)}, and the architecture asks for {_listed(expected)}"
        )


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return " and ".join(map(str, shapes)) or "of none"


def _arrays(group: Any) -> Iterator[Any]:
    """Yield the arrays within a group."""
    for value in group.values():
        if hasattr(value, "keys"):
            yield from _arrays(value)
        else:
            yield value


def _snake_case(name: str) -> str:
    """Return the name of a class as Keras 3 names groups (``naming.to_snake_case``)."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()

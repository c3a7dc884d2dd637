"""Files as Keras 3 writes them, made by hand: no Keras 3 shares the environment.

The layouts are those of ``saving_lib.py``, ``functional.py`` and ``legacy_h5_format.py`` of Keras
3.15, and of the configurations that Keras 3.15 and qkeras-v3 1.2.1 give.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Weights = Mapping[str, Sequence[Any]]
"""The arrays of each layer, by its name."""
VERSION = "3.15.1"
POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}


def layer(class_name: str, name: str, *sources: str, **config: Any) -> dict[str, Any]:
    """Returns a layer of ``keras.layers``, which takes the results of the layers named."""
    entry: dict[str, Any] = {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {"name": name, "trainable": True, "dtype": POLICY, **config},
        "registered_name": None,
        "build_config": {"input_shape": [None, 5]},
    }
    if sources:
        entry["inbound_nodes"] = [call(*sources)]
        entry["name"] = name
    return entry


def of_qkeras(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    entry = layer(class_name, name, **config)
    return {**entry, "module": "qkeras.qlayers", "registered_name": f"qkeras>{class_name}"}


def quantizer(class_name: str, **config: Any) -> dict[str, Any]:
    return {
        "module": "qkeras.quantizers",
        "class_name": class_name,
        "config": config,
        "registered_name": f"qkeras>{class_name}",
    }


def bits(number: int, integer: int, alpha: Any = 1) -> dict[str, Any]:
    """Returns a ``quantized_bits`` with all that qkeras-v3 says of it."""
    more = {"keep_negative": True, "use_stochastic_rounding": False, "qnoise_factor": 1.0}
    return quantizer(
        "quantized_bits",
        **{"bits": number, "integer": integer, "symmetric": isinstance(alpha, str)},
        **{"alpha": alpha, **more, "post_training_scale": None},
    )


def inputs(name: str, size: int) -> dict[str, Any]:
    entry = layer("InputLayer", name, batch_shape=[None, size], sparse=False, ragged=False)
    entry["config"].update(dtype="float32", optional=False)
    return {**entry, "name": name, "inbound_nodes": []}


def call(*sources: str, listed: bool = False) -> dict[str, Any]:
    """Returns a call with the results of layers, in a list or one after the other."""
    tensors = [
        {
            "class_name": "__keras_tensor__",
            "config": {"shape": [None, 4], "dtype": "float32", "keras_history": [source, 0, 0]},
        }
        for source in sources
    ]
    return {"args": [tensors] if listed else tensors, "kwargs": {}}


def dense(name: str, units: int, *sources: str, activation: str = "linear") -> dict[str, Any]:
    initializer = {
        "module": "keras.initializers",
        "class_name": "GlorotUniform",
        "config": {"seed": None},
        "registered_name": None,
    }
    return layer(
        *("Dense", name, *sources),
        **{"units": units, "activation": activation, "use_bias": True},
        **{"kernel_initializer": initializer, "kernel_regularizer": None},
        **{"quantization_config": None},
    )


def sequential(layers: Sequence[Any]) -> dict[str, Any]:
    config = {"name": "sequential", "trainable": True, "dtype": POLICY, "layers": list(layers)}
    config["build_input_shape"] = [None, 5]
    return {"module": "keras", "class_name": "Sequential", "config": config}


def functional(layers: Sequence[Any], ends: Any) -> dict[str, Any]:
    config = {
        "name": "functional",
        "trainable": True,
        "layers": list(layers),
        "input_layers": [["in", 0, 0]],
        "output_layers": ends,
    }
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


def write_weights(target: Any, groups: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
    """Writes ``model.weights.h5``: the layer's name and arrays of each group."""
    with h5py.File(target, "w") as file:
        file.create_group("vars")
        for group, (name, arrays) in groups.items():
            variables = file.create_group(f"layers/{group}/vars")
            if name:
                variables.attrs["name"] = name
            for number, array in enumerate(arrays):
                variables[str(number)] = np.asarray(array, dtype=np.float32)


def write_archive(path: Path, config: Any, groups: Mapping[str, tuple[str, Sequence[Any]]]) -> Path:
    """Writes a ``.keras`` file."""
    weights = BytesIO()
    write_weights(weights, groups)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": VERSION}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def write_hdf5(path: Path, config: Any, weights: Weights) -> Path:
    """Writes an HDF5 file with the model, as ``model.save("model.h5")`` of Keras 3 does."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = VERSION
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            names = [f"{name}/{number}" for number in range(len(arrays))]
            inner = group.create_group(name)
            inner.attrs["weight_names"] = [one.encode() for one in names]
            for one, array in zip(names, arrays, strict=True):
                inner.create_dataset(one, data=np.asarray(array, dtype=np.float32))
    return path

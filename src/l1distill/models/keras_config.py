"""Translates the configurations of models that Keras 3 or an archive wrote to those of Keras 2.

A configuration is what ``model.get_config()`` gives. Keras 2 builds from that of its HDF5 files;
archives (``.keras``) and Keras 3 name modules, data types, inputs and tensors otherwise
(``serialization_lib.py`` and ``functional.py`` of Keras 2.14 and 3).
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from l1distill.core.errors import DataError

Config = dict[str, Any]
MODELS = ("Sequential", "Functional", "Model")
"""Classes of models whose configuration holds their layers."""
_OF_TRAINING = ("_initializer", "_regularizer", "_constraint")
"""Endings of keys that a model does not need to predict."""
_MEANINGLESS = (*("synchronized", "optional", "sparse", "ragged", "seed", "autocast", "trainable"),)
"""Keys that change no prediction, whatever their value is."""
_NEW_NAMES = {
    ("LeakyReLU", "negative_slope"): "alpha",
    ("InputLayer", "batch_shape"): "batch_input_shape",
}
"""What Keras 3 calls a key of a class, and what Keras 2 does."""
_QKERAS = ("qkeras", "QKeras")
"""Packages whose classes are known by their bare names."""
_NEW_FUNCTIONS = {"silu": "swish"}
"""The same for functions."""
_OTHER_FUNCTIONS = ("hard_sigmoid",)
"""Functions of Keras 2 whose name stands for another function in Keras 3."""
_MERGES = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
"""Operations of Keras 3 on two tensors, and the layers that compute the same."""
_FUNCTIONS = {"Relu": "relu", "Sigmoid": "sigmoid", "Softmax": "softmax", "Tanh": "tanh"}
"""Operations of Keras 3 on one tensor, and the activations that compute the same."""


def is_keras3(config: Any) -> bool:
    """Tell a configuration of Keras 3 from one of Keras 2."""
    if isinstance(config, list):
        return any(map(is_keras3, config))
    if not isinstance(config, dict):
        return False
    if config.get("class_name") == "DTypePolicy" or "batch_shape" in config:
        return True
    return any(map(is_keras3, config.values()))


def class_names(config: Any) -> Iterator[tuple[str, str, str]]:
    """Yield name, class and package of everything in a configuration that has a class."""
    if isinstance(config, list):
        for entry in config:
            yield from class_names(entry)
    elif isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            inner = config.get("config")
            name = inner.get("name") if isinstance(inner, dict) else None
            package = str(config.get("module")).split(".")[0]
            yield str(name or config.get("name") or ""), config["class_name"], package
        for value in config.values():
            yield from class_names(value)


class Translator:
    """Translates one configuration.

    Attributes:
        from_keras3: whether Keras 3 wrote it.
    """

    def __init__(self, custom_objects: Mapping[str, Any], from_keras3: bool) -> None:
        """Take the classes that are not Keras' own, by name."""
        self._custom_objects = custom_objects
        self.from_keras3 = from_keras3

    def translate(self, entry: Any) -> Any:
        """Return an entry of a configuration as Keras 2 has it.

        Raises:
            DataError: something in it has no counterpart in Keras 2; the line names the layer.
        """
        if isinstance(entry, list):
            return [self.translate(one) for one in entry]
        if not isinstance(entry, dict):
            return entry
        if "class_name" not in entry or "config" not in entry:
            return {key: self.translate(value) for key, value in entry.items()}
        class_name, config = entry["class_name"], entry["config"]
        if class_name == "DTypePolicy":
            return _float32(config["name"])
        if class_name == "function":
            return config if isinstance(config, str) else entry
        if class_name in ("__numpy__", "__tensor__"):
            return np.asarray(config["value"], dtype=config["dtype"])
        if not isinstance(config, dict):
            return entry
        if class_name in MODELS and "layers" in config:
            return self._with_graph(entry, self._model(config))
        if _is_operation(entry):
            return self._operation(entry)
        class_name = _registered(entry)
        if class_name == "quantized_linear":
            class_name, config = "quantized_bits", _as_quantized_bits(config)
        kept = {key: value for key, value in config.items() if not key.endswith(_OF_TRAINING)}
        kept = {key: self.translate(value) for key, value in kept.items()}
        translated = {"class_name": class_name, "config": self._config(class_name, kept)}
        return self._with_graph(entry, translated)

    def _model(self, config: Config) -> Config:
        layers = [self.translate(layer) for layer in config["layers"]]
        kept: Config = {"name": config.get("name"), "layers": layers}
        if "output_layers" not in config:
            shape = config.get("build_input_shape")
            if shape and (not layers or layers[0]["class_name"] != "InputLayer"):
                inputs = {"batch_input_shape": shape, "dtype": "float32", "name": "inputs"}
                layers.insert(0, {"class_name": "InputLayer", "config": inputs})
            return {"class_name": "Sequential", "config": kept}
        for key in ("input_layers", "output_layers"):
            ends = config[key]
            kept[key] = [ends] if _is_tensor(ends) else ends
        _renumber_calls(kept)
        return {"class_name": "Functional", "config": kept}

    def _with_graph(self, entry: Config, translated: Config) -> Config:
        """Return a translated layer with its place in the graph."""
        if "name" in entry:
            translated["name"] = entry["name"]
        if "inbound_nodes" in entry:
            name = str(entry.get("name"))
            nodes = entry["inbound_nodes"]
            translated["inbound_nodes"] = [
                _node(node, name) if isinstance(node, dict) else node for node in nodes
            ]
        return translated

    def _operation(self, entry: Config) -> Config:
        """Return the layer that computes an operation of Keras 3, such as ``x + y``."""
        name, kind, tensors = entry["name"], entry["class_name"], 0
        for node in entry["inbound_nodes"]:
            tensors = len(list(_tensors(node)))
        if kind in _MERGES and tensors == 2:
            translated: Config = {"class_name": kind, "config": {"name": name}}
        elif kind in _FUNCTIONS and tensors == 1:
            function = {"name": name, "activation": _FUNCTIONS[kind]}
            translated = {"class_name": "Activation", "config": function}
        else:
            raise DataError(f"layer {name} ({kind}): is an operation and no layer of keras.layers")
        return self._with_graph(entry, translated)

    def _config(self, class_name: str, config: Config) -> Config:
        """Return the keys that a class of Keras 2 takes.

        Raises:
            DataError: it does not know a key that is set, or has another function of that name.
        """
        layer = f"layer {config.get('name', '')} ({class_name})"
        config = {_NEW_NAMES.get((class_name, key), key): v for key, v in config.items()}
        function = config.get("activation")
        if isinstance(function, str) and self.from_keras3:
            if function in _OTHER_FUNCTIONS:
                raise DataError(
                    f"{layer}: {function} of Keras 3 is another function than Keras 2's"
                )
            config["activation"] = _NEW_FUNCTIONS.get(function, function)
        if class_name == "QActivation" and isinstance(function, dict):
            # it takes what it gets, and a dictionary for a quantizer
            config["activation"] = self._quantizer(function)
        known = _parameters(self._class(class_name))
        if known is None:
            return config
        for key in sorted(set(config) - known):
            value = config.pop(key)
            is_set = not (
                value is None or value is False or (isinstance(value, list) and not value)
            )
            if is_set and key not in _MEANINGLESS:
                raise DataError(f"{layer}: has {key}={value!r}, which Keras 2 does not know")
        return config

    def _quantizer(self, config: Config) -> Any:
        from qkeras import get_quantizer
        from tensorflow import keras

        with keras.utils.custom_object_scope(self._custom_objects):
            return get_quantizer(config)

    def _class(self, name: str) -> Any:
        """Return the class of Keras 2 or QKeras that has a name; ``None`` where there is none."""
        from tensorflow import keras

        if name in self._custom_objects:  # also where another package has registered the name
            return self._custom_objects[name]
        return keras.utils.get_registered_object(name) or getattr(keras.layers, name, None)


def _registered(entry: Mapping[str, Any]) -> str:
    """Return the name that a class is known by: those of QKeras are known without its package."""
    name = str(entry.get("registered_name") or "")
    package, separator, _ = name.partition(">")
    is_own = separator and package not in ("Custom", *_QKERAS)
    if is_own:
        return name
    package, separator, class_name = str(entry["class_name"]).partition(">")
    return class_name if separator and package in _QKERAS else str(entry["class_name"])


def _is_operation(entry: Config) -> bool:
    """Tell an operation from a layer; HDF5 files of Keras 3 do not name modules."""
    module = entry.get("module")
    is_named = module is None and entry["class_name"] in ("Relu", "Sigmoid", "Tanh")
    return is_named or str(module).startswith("keras.src.ops")


def _as_quantized_bits(config: Config) -> Config:
    """Return the ``quantized_bits`` that computes a ``quantized_linear`` of qkeras-v3.

    Raises:
        DataError: it has a scale, which it divides by where ``quantized_bits`` multiplies.
    """
    if config.get("alpha") not in (None, 1) or config.get("bits") == 1:
        raise DataError("quantized_linear with an alpha is not in QKeras 0.9; use quantized_bits")
    keys = ("bits", "integer", "symmetric", "keep_negative", "use_stochastic_rounding")
    return {**{key: config[key] for key in keys if key in config}, "alpha": 1}


def _float32(name: str) -> str:
    """Return the data type of a policy; mixed precision stores its weights as float32."""
    return "float32" if name.startswith("mixed_") else name


def _parameters(layer_class: Any) -> set[str] | None:
    """Return the names of all parameters that a class can be made with; ``None`` for any."""
    if layer_class is None:
        return None
    names: set[str] = set()
    for parent in layer_class.__mro__:
        if "__init__" not in vars(parent):
            continue
        parameters = inspect.signature(parent.__init__).parameters.values()
        names.update(parameter.name for parameter in parameters)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return names
        if parent.__name__ in ("Layer", "InputLayer"):  # they take these from their keywords
            return names | {
                "batch_input_shape",
                "input_shape",
                "batch_size",
                "activity_regularizer",
            }
    return names


def _is_tensor(entry: Any) -> bool:
    """Tell whether an entry is ``[layer, node, tensor]``."""
    return isinstance(entry, list) and len(entry) == 3 and isinstance(entry[0], str)


def _renumber_calls(config: Config) -> None:
    """Number the calls of each layer as Keras 2 does, in place.

    Those of a model within the model count from 1; in Keras 3 those of a ``Sequential`` from 0.

    Raises:
        DataError: a layer takes what no layer gives, with which Keras 2 would not come to an end.
    """
    nodes = [layer["inbound_nodes"] for layer in config["layers"]]
    tensors = list(_named_tensors([config["input_layers"], config["output_layers"], nodes]))
    for layer in config["layers"]:
        mine = [tensor for tensor in tensors if tensor[0] == layer["name"]]
        first = int(layer["class_name"] in MODELS)
        shift = first - min((tensor[1] for tensor in mine), default=first)
        for tensor in mine:
            tensor[1] += max(shift, 0)
            if tensor[1] >= first + max(len(layer["inbound_nodes"]), 1):
                raise DataError(f"layer {layer['name']}: is called less often than it is used")
    unknown = {tensor[0] for tensor in tensors} - {layer["name"] for layer in config["layers"]}
    if unknown:
        raise DataError(f"layer {min(unknown)}: is used and not there")


def _named_tensors(structure: Any) -> Iterator[list[Any]]:
    """Yield each ``[layer, node, tensor, ...]`` of a structure itself, to be changed."""
    if isinstance(structure, dict):
        for value in structure.values():
            yield from _named_tensors(value)
    elif isinstance(structure, list):
        if len(structure) >= 3 and isinstance(structure[0], str) and isinstance(structure[1], int):
            yield structure
        else:
            for value in structure:
                yield from _named_tensors(value)


def _tensors(entry: Any) -> Iterator[list[Any]]:
    """Yield ``[layer, node, tensor]`` of each tensor in the arguments of a call."""
    if isinstance(entry, dict) and entry.get("class_name") == "__keras_tensor__":
        yield list(entry["config"]["keras_history"])
    elif isinstance(entry, dict):
        for value in entry.values():
            yield from _tensors(value)
    elif isinstance(entry, list):
        for value in entry:
            yield from _tensors(value)


def _node(node: Config, name: str) -> list[Any]:
    """Return a call of a layer as Keras 2 has it: a list of tensors.

    Raises:
        DataError: it has arguments that are no tensors, or tensors by keyword.
    """
    given = {key: value for key, value in node["kwargs"].items() if value not in (None, False)}
    tensors = list(_tensors(node["args"]))
    if given or not tensors:
        listed = ", ".join(given) or "no tensor"
        raise DataError(f"layer {name}: is called with {listed}; call it with tensors alone")
    return [[*tensor, {}] for tensor in tensors]

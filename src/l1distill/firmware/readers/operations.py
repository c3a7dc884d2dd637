"""TensorFlow's functions in a Keras model, such as ``x + y`` and ``x[:, 0]``, as layers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.readers.refusal import refuse

OPERATION_LAYERS = ("TFOpLambda", "SlicingOpLambda")
"""Classes that Keras makes of TensorFlow's functions."""
Tensor = tuple[str, int, int]
"""Layer, call and number of a result."""
Rearrangement = Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""On (n, ...) numbers of the elements of n events."""
_CONSTANT = "_CONSTANT_VALUE"
_SECOND = ("y", "b", "other")
_ARITHMETIC = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "math.subtract": "Subtract",
    "math.multiply": "Multiply",
    "math.maximum": "Maximum",
    "math.minimum": "Minimum",
}
_WITH_CONSTANT = ("math.negative", "math.truediv")
_REDUCTIONS = {
    "math.reduce_mean": "mean",
    "math.reduce_sum": "sum",
    "math.reduce_max": "max",
}
_ACTIVATIONS = {
    "math.sigmoid": "sigmoid",
    "nn.sigmoid": "sigmoid",
    "math.tanh": "tanh",
    "nn.tanh": "tanh",
    "nn.softmax": "softmax",
    "nn.elu": "elu",
    "nn.silu": "swish",
    "nn.swish": "swish",
    "nn.gelu": "gelu",
    "nn.softplus": "softplus",
    "math.softplus": "softplus",
}


@dataclass(frozen=True, kw_only=True)
class Elements:
    """Elements of a tensor in another order or shape, some of them left out or repeated."""

    name: str
    rearrange: Rearrangement


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """The mean, the sum or the largest along axes."""

    name: str
    function: str
    axes: tuple[int, ...]
    """Counted with the axis of the events."""
    keepdims: bool


def is_tensor(value: Any) -> bool:
    """Tell whether a part of a configuration names a result of a layer."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) >= 3
        and isinstance(value[0], str)
        and value[0] != _CONSTANT
    )


def as_layer(operation: Any, node: Any) -> tuple[Any, list[Tensor]]:
    """Return the layer that computes a function of TensorFlow.

    Args:
        operation: the layer that Keras has made of it.
        node: a call of it, as the configuration of the model has it.

    Returns:
        A layer of Keras of the same name, or one of the classes here; the tensors that it takes.

    Raises:
        DataError: there is none.
    """
    entries = [node] if isinstance(node[0], str) else node
    options = dict(entries[0][3])
    operands: list[Any] = [
        entry[2] if entry[0] == _CONSTANT else (entry[0], entry[1], entry[2]) for entry in entries
    ]
    for name in _SECOND:
        if name in options:
            value = options.pop(name)
            operands.append(tuple(value[:3]) if is_tensor(value) else value)
    function = str(operation.get_config()["function"])
    return _find(operation, function, operands, options)


def _find(
    operation: Any, function: str, operands: list[Any], options: Mapping[str, Any]
) -> tuple[Any, list[Tensor]]:
    from tensorflow.keras import layers

    name, tensors = operation.name, [value for value in operands if isinstance(value, tuple)]
    if function in _ARITHMETIC and len(tensors) == len(operands):
        return getattr(layers, _ARITHMETIC[function])(name=name), tensors
    if len(tensors) < len(operands) or function == "math.negative":
        return _with_constant(operation, function, operands), tensors
    if function == "concat":
        return layers.Concatenate(axis=options["axis"], name=name), tensors
    if function == "math.square":
        return layers.Multiply(name=name), tensors * 2
    if function in ("nn.relu", "nn.relu6"):
        most = 6.0 if function == "nn.relu6" else None
        return layers.ReLU(max_value=most, name=name), tensors
    if function == "nn.leaky_relu":
        return layers.LeakyReLU(options.get("alpha", 0.2), name=name), tensors
    if function in _ACTIVATIONS:
        return layers.Activation(_ACTIVATIONS[function], name=name), tensors
    if function in _REDUCTIONS and options.get("axis") is not None:
        axes = tuple(np.atleast_1d(options["axis"]).tolist())
        keepdims = bool(options.get("keepdims"))
        kind = _REDUCTIONS[function]
        return Reduction(name=name, function=kind, axes=axes, keepdims=keepdims), tensors
    if function not in _REARRANGEMENTS:
        refuse(operation, f"the function {function} is not supported; use layers of keras.layers")
    return Elements(name=name, rearrange=_REARRANGEMENTS[function](options)), tensors


def _with_constant(operation: Any, function: str, operands: list[Any]) -> Any:
    """Return the scale and offset that a sum, a difference, a product or a quotient is."""
    from tensorflow.keras import layers

    tensor_first = isinstance(operands[0], tuple)
    constant: Any = np.float32(-1.0)
    if len(operands) > 1:
        constant = np.asarray(operands[1 if tensor_first else 0], dtype=np.float32)
    sums: Mapping[str, Any] = {
        "__operators__.add": (1.0, constant),
        "math.add": (1.0, constant),
        "math.subtract": (1.0, -constant) if tensor_first else (-1.0, constant),
        "math.multiply": (constant, 0.0),
        "math.negative": (-1.0, 0.0),
    }
    if function == "math.truediv" and tensor_first:
        scale, offset = np.float32(1) / constant, 0.0
    elif function in sums:
        scale, offset = sums[function]
    else:
        refuse(operation, f"the function {function} of a constant is not supported")
    return layers.Rescaling(scale, offset, name=operation.name)


def _sliced(options: Mapping[str, Any]) -> Rearrangement:
    spec = tuple(_slice(part) for part in _as_tuple(options["slice_spec"]))
    return lambda x: x[spec]


def _squeezed(options: Mapping[str, Any]) -> Rearrangement:
    axis = options.get("axis")
    axes = None if axis is None else tuple(np.atleast_1d(axis).tolist())
    return lambda x: np.squeeze(x, axes)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _slice(part: Any) -> Any:
    if isinstance(part, Mapping):
        return slice(part.get("start"), part.get("stop"), part.get("step"))
    return part


_REARRANGEMENTS: Mapping[str, Callable[[Mapping[str, Any]], Rearrangement]] = {
    "__operators__.getitem": _sliced,
    "compat.v1.transpose": lambda options: lambda x: x.transpose(options.get("perm")),
    "transpose": lambda options: lambda x: x.transpose(options.get("perm")),
    "reshape": lambda options: lambda x: x.reshape(tuple(options["shape"])),
    "expand_dims": lambda options: lambda x: np.expand_dims(x, options["axis"]),
    "compat.v1.squeeze": _squeezed,
    "squeeze": _squeezed,
    "tile": lambda options: lambda x: np.tile(x, options["multiples"]),
    "repeat": lambda options: lambda x: np.repeat(x, options["repeats"], options["axis"]),
}
"""Of functions that compute nothing, what they make of the numbers of elements."""
FUNCTIONS = (
    *(*_ARITHMETIC, *_WITH_CONSTANT, *_REDUCTIONS, *_ACTIVATIONS, *_REARRANGEMENTS),
    *("concat", "math.square", "nn.relu", "nn.relu6", "nn.leaky_relu"),
)
"""All that are known, as they are called below ``tf``."""

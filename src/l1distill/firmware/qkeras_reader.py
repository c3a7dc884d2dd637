"""Reads a QKeras model layer by layer, and refuses what the firmware could not reproduce."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from l1distill.errors import InputError
from l1distill.firmware.fixed_point import FixedPoint, Overflow
from l1distill.firmware.network import Dense, Layer, Network, Quantise, accumulator

PASS_THROUGH = ("InputLayer", "Dropout")
"""Classes that do nothing when the model only predicts."""


def describe(model: Any) -> Network:
    """Reads a QKeras model into a :class:`Network`.

    Args:
        model: a Keras 2 model: an input quantiser, then QDense and QActivation layers in a chain.

    Returns:
        The network, its weights quantised and exactly on their grids.

    Raises:
        InputError: a layer is not supported; the line names it, its class and the reason.
    """
    _check_chain(model)
    inputs = _inputs(model)
    layers = [read for layer in model.layers for read in _read_layer(layer)]
    if not layers or not isinstance(layers[0], Quantise):
        _refuse(
            model.layers[0],
            "the inputs have no fixed-point type: begin with a QActivation(quantized_bits(...))",
        )
    input_type = layers[0].type
    output_type = input_type
    for layer in layers:
        output_type = accumulator(layer, output_type) if isinstance(layer, Dense) else layer.type
    return Network(inputs, input_type, tuple(layers[1:]), output_type)


def _refuse(layer: Any, reason: str) -> NoReturn:
    raise InputError(f"layer {layer.name} ({type(layer).__name__}): {reason}")


def _check_chain(model: Any) -> None:
    """Refuses branches, joins and several inputs or outputs.

    The model's configuration is asked, not the layers' own nodes: a layer that is shared with
    another model has nodes of that one too.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        _refuse(model.layers[0], "only models with one input and one output are supported")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # QKeras' constraints are not Keras' own
        config = model.get_config()
    for previous, entry, layer in zip(
        config["layers"], config["layers"][1:], model.layers[1:], strict=False
    ):
        nodes = entry.get("inbound_nodes")  # a Sequential model has none: it is a chain
        if nodes is not None and [source[0] for node in nodes for source in node] != [
            previous["name"]
        ]:
            _refuse(layer, "its input is not the layer before it; only chains are supported")


def _inputs(model: Any) -> int:
    shape = model.input_shape
    if len(shape) != 2 or shape[1] is None:
        _refuse(model.layers[0], f"input shape {shape} is not (events, inputs)")
    return int(shape[1])


def _read_layer(layer: Any) -> Iterator[Layer]:
    name = type(layer).__name__
    if name in PASS_THROUGH:
        return
    if name == "Activation" and layer.get_config()["activation"] == "linear":
        return
    reader = READERS.get(name)
    if reader is None:
        _refuse(layer, f"is not supported; supported are {', '.join(READERS)}")
    yield from reader(layer)


def _read_activation(layer: Any) -> Iterator[Layer]:
    yield Quantise(layer.name, _activation_type(layer, layer.quantizer))


def _read_dense(layer: Any) -> Iterator[Layer]:
    kernel_type = _weight_type(layer, "kernel", layer.kernel_quantizer_internal)
    kernel = _on_grid(layer, "kernel", kernel_type, layer.kernel_quantizer_internal, layer.kernel)
    bias_type, bias = kernel_type, np.zeros(kernel.shape[1])
    if layer.use_bias:
        bias_type = _weight_type(layer, "bias", layer.bias_quantizer_internal)
        bias = _on_grid(layer, "bias", bias_type, layer.bias_quantizer_internal, layer.bias)
    if not kernel.any():
        _refuse(layer, "all its weights are zero, so the output is a constant; train it anew")
    yield Dense(layer.name, kernel, bias, kernel_type, bias_type)
    if layer.activation is not None and getattr(layer.activation, "__name__", "") != "linear":
        yield Quantise(f"{layer.name}_activation", _activation_type(layer, layer.activation))


READERS: dict[str, Callable[[Any], Iterator[Layer]]] = {
    "QDense": _read_dense,
    "QActivation": _read_activation,
}


def _weight_type(layer: Any, what: str, quantizer: Any) -> FixedPoint:
    if type(quantizer).__name__ != "quantized_bits":
        _refuse(layer, f"its {what} needs {what}_quantizer=quantized_bits(...)")
    if quantizer.alpha is None or isinstance(quantizer.alpha, str) or quantizer.alpha != 1:
        _refuse(layer, f"its {what}_quantizer has alpha={quantizer.alpha!r}; use alpha=1")
    if not quantizer.keep_negative:  # hls4ml 1.3.0 reads the weights as signed and drops a bit
        _refuse(layer, f"its {what}_quantizer has keep_negative=False; use signed weights")
    return _bits_type(layer, quantizer)


def _activation_type(layer: Any, quantizer: Any) -> FixedPoint:
    name = type(quantizer).__name__
    if name == "quantized_bits":
        if quantizer.alpha is not None and quantizer.alpha != 1:
            _refuse(layer, f"quantized_bits has alpha={quantizer.alpha!r}; use alpha=1")
        return _bits_type(layer, quantizer)
    if name != "quantized_relu":
        shown = getattr(quantizer, "__name__", name)
        _refuse(layer, f"{shown} is not supported; use quantized_relu or quantized_bits")
    _check_quantizer(layer, quantizer)
    for option, required in (("negative_slope", 0), ("use_sigmoid", 0), ("is_quantized_clip", 1)):
        if getattr(quantizer, option) != required:
            _refuse(layer, f"quantized_relu with {option}={getattr(quantizer, option)!r}")
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    return FixedPoint(False, integer, bits - integer)


def _bits_type(layer: Any, quantizer: Any) -> FixedPoint:
    _check_quantizer(layer, quantizer)
    signed = bool(quantizer.keep_negative)
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    if bits - signed < 1:
        _refuse(layer, f"quantized_bits with {bits} bits is a sign; use at least {signed + 1}")
    overflow: Overflow = "SAT_SYM" if signed and quantizer.symmetric else "SAT"
    return FixedPoint(signed, integer, bits - signed - integer, "RND_CONV", overflow)


def _check_quantizer(layer: Any, quantizer: Any) -> None:
    if quantizer.use_stochastic_rounding:
        _refuse(layer, "stochastic rounding cannot be reproduced; switch it off")
    if float(quantizer.qnoise_factor) != 1:
        _refuse(layer, f"qnoise_factor is {float(quantizer.qnoise_factor):g}; finish at 1")


def _on_grid(
    layer: Any, what: str, kind: FixedPoint, quantizer: Any, variable: Any
) -> NDArray[np.float64]:
    values = np.asarray(quantizer(variable), dtype=np.float64)
    if not kind.holds(values):
        _refuse(layer, f"its {what} is not on the grid of {kind.hls}: NaN, or another quantiser")
    return values + 0.0

"""A quantised network as plain numbers: what every back end of the firmware starts from."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.errors import InputError
from l1distill.firmware.fixed_point import FixedPoint, smallest_type

FORMAT = "l1distill-network-1"
EXACT_FLOAT32_BITS = 24
"""Sums that need more bits than a float32 mantissa are not exact in QKeras itself."""


class Dense(NamedTuple):
    """A fully connected layer, ``y = x @ kernel + bias``, computed without any loss."""

    name: str
    kernel: NDArray[np.float64]
    """Shape (n_in, n_out), every element of ``kernel_type``."""
    bias: NDArray[np.float64]
    """Shape (n_out,), every element of ``bias_type``; zeros where the layer has none."""
    kernel_type: FixedPoint
    bias_type: FixedPoint


class Quantise(NamedTuple):
    """Rounds and clips to ``type``; an unsigned type makes it a ReLU as well."""

    name: str
    type: FixedPoint


Layer = Dense | Quantise


class Network(NamedTuple):
    """A chain of layers between two fixed-point types."""

    inputs: int
    input_type: FixedPoint
    layers: tuple[Layer, ...]
    output_type: FixedPoint

    @property
    def outputs(self) -> int:
        """How many numbers come out for an event."""
        return next(
            (layer.kernel.shape[1] for layer in reversed(self.layers) if isinstance(layer, Dense)),
            self.inputs,
        )


def accumulator(layer: Dense, incoming: FixedPoint) -> FixedPoint:
    """Returns the narrowest type that holds every sum of ``layer`` without loss.

    Args:
        layer: the layer.
        incoming: the type of its inputs.

    Returns:
        A signed or unsigned type, from the worst case over all inputs of type ``incoming``.
    """
    fraction = max(incoming.fraction + layer.kernel_type.fraction, layer.bias_type.fraction)
    ends = np.stack([layer.kernel * incoming.low, layer.kernel * incoming.high])
    low = float((ends.min(axis=0).sum(axis=0) + layer.bias).min())
    high = float((ends.max(axis=0).sum(axis=0) + layer.bias).max())
    return smallest_type(low, high, fraction)


def widest_sum(network: Network) -> tuple[str, int]:
    """Returns the name of the layer whose sums are the widest, and their bits without sign.

    Above :data:`EXACT_FLOAT32_BITS` QKeras, which adds in float32, may itself round.
    """
    incoming, widest = network.input_type, ("", 0)
    for layer in network.layers:
        if isinstance(layer, Dense):
            # partial sums in any order: all terms count with their absolute value
            reach = max(abs(incoming.low), incoming.high)
            total = float((np.abs(layer.kernel).sum(axis=0) * reach + np.abs(layer.bias)).max())
            incoming = accumulator(layer, incoming)
            bits = smallest_type(0.0, total, incoming.fraction).bits
            widest = max(widest, (layer.name, bits), key=lambda item: item[1])
        else:
            incoming = layer.type
    return widest


def evaluate(network: Network, x: ArrayLike) -> NDArray[np.float64]:
    """Computes the network in numpy, exactly: the reference that knows no other tool.

    Args:
        network: the network.
        x: (n, inputs) numbers; they are quantised to the input type first.

    Returns:
        (n, outputs) values of the output type.
    """
    values = network.input_type.quantise(x)
    for layer in network.layers:
        if isinstance(layer, Dense):
            values = values @ layer.kernel + layer.bias
        else:
            values = layer.type.quantise(values)
    return values + 0.0


def save(network: Network, path: Path) -> None:
    """Writes the network as JSON: weights as integers, types in words."""
    layers: list[dict[str, Any]] = []
    for layer in network.layers:
        if isinstance(layer, Dense):
            layers.append(
                {
                    "layer": "dense",
                    "name": layer.name,
                    "kernel": layer.kernel_type.codes(layer.kernel).tolist(),
                    "kernel_type": layer.kernel_type._asdict(),
                    "bias": layer.bias_type.codes(layer.bias).tolist(),
                    "bias_type": layer.bias_type._asdict(),
                }
            )
        else:
            layers.append({"layer": "quantise", "name": layer.name, "type": layer.type._asdict()})
    content = {
        "format": FORMAT,
        "inputs": network.inputs,
        "input_type": network.input_type._asdict(),
        "layers": layers,
        "output_type": network.output_type._asdict(),
    }
    path.write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")


def load(path: Path) -> Network:
    """Reads a network that :func:`save` wrote.

    Raises:
        InputError: the file is missing, broken or of another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}, not {FORMAT!r}")
        return Network(
            inputs=content["inputs"],
            input_type=FixedPoint(**content["input_type"]),
            layers=tuple(_layer(entry) for entry in content["layers"]),
            output_type=FixedPoint(**content["output_type"]),
        )
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the synthesis that writes it") from None
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(f"{path}: is no network description ({error}); write it anew") from None


def _layer(entry: dict[str, Any]) -> Layer:
    if entry["layer"] == "quantise":
        return Quantise(entry["name"], FixedPoint(**entry["type"]))
    kernel_type, bias_type = FixedPoint(**entry["kernel_type"]), FixedPoint(**entry["bias_type"])
    return Dense(
        entry["name"],
        np.asarray(entry["kernel"], dtype=np.float64) * kernel_type.step,
        np.asarray(entry["bias"], dtype=np.float64) * bias_type.step,
        kernel_type,
        bias_type,
    )

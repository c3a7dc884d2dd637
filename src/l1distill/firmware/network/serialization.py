"""Reads and writes a quantized network as a JSON file: weights as integers, types by name."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from l1distill.core.errors import DataError
from l1distill.firmware.network.back_ends import BACK_ENDS
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    Concatenate,
    Conv2D,
    DecisionTrees,
    Dense,
    Layer,
    Lookup,
    MaxPool2D,
    Multiply,
    Quantize,
    QuantizeElements,
    Reshape,
    Select,
    Square,
    Subtract,
    UpSample2D,
    ZeroPad2D,
)
from l1distill.firmware.network.network import Network

FORMAT = "l1distill-network-2"
LAYER_NAMES: Mapping[str, type[Layer]] = {
    "dense": Dense,
    "conv2d": Conv2D,
    "affine": Affine,
    "square": Square,
    "quantize": Quantize,
    "quantize_elements": QuantizeElements,
    "lookup": Lookup,
    "decision_trees": DecisionTrees,
    "max_pool2d": MaxPool2D,
    "up_sample2d": UpSample2D,
    "zero_pad2d": ZeroPad2D,
    "reshape": Reshape,
    "select": Select,
    "add": Add,
    "subtract": Subtract,
    "multiply": Multiply,
    "concatenate": Concatenate,
}
"""What each layer is called in the file."""
BACK_ENDS["network file"] = lambda layer_class: layer_class in LAYER_NAMES.values()
_FORMER_NAMES: Mapping[str, str] = {"quantise": "quantize"}
"""What layers were called in files of version 0.1."""


def save(network: Network, path: Path) -> None:
    """Write the network, the same bytes for the same network."""
    content = {
        "format": FORMAT,
        "inputs": network.inputs,
        "input_type": asdict(network.input_type),
        "input_exponents": network.input_exponents,
        "layers": [_to_entry(layer) for layer in network.layers],
        "output_type": asdict(network.output_type),
    }
    if network.sources:
        content["sources"] = network.sources
    if network.port_types:
        content["port_types"] = [asdict(port) for port in network.port_types]
    path.write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")


def load(path: Path) -> Network:
    """Read a network that :func:`save` wrote.

    Raises:
        DataError: the file is missing, broken or of another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}, not {FORMAT!r}")
        return Network(
            inputs=content["inputs"],
            input_type=FixedPoint(**content["input_type"]),
            layers=tuple(_from_entry(entry) for entry in content["layers"]),
            output_type=FixedPoint(**content["output_type"]),
            input_exponents=tuple(content["input_exponents"]),
            sources=_to_tuples(content.get("sources", [])),
            port_types=tuple(FixedPoint(**port) for port in content.get("port_types", [])),
        )
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; run the synthesis that writes it") from error
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(f"{path}: is no network description ({error}); write it anew") from error


def _to_entry(layer: Layer) -> dict[str, Any]:
    name = next(name for name, layer_class in LAYER_NAMES.items() if type(layer) is layer_class)
    entry: dict[str, Any] = {"layer": name}
    for field in fields(layer):
        value = getattr(layer, field.name)
        if isinstance(value, np.ndarray):  # every array has its type beside it
            entry[field.name] = getattr(layer, f"{field.name}_type").codes(value).tolist()
        elif field.name == "types":
            entry[field.name] = [asdict(fixed_type) for fixed_type in value]
        else:
            entry[field.name] = asdict(value) if isinstance(value, FixedPoint) else value
    return entry


def _from_entry(entry: Mapping[str, Any]) -> Layer:
    name = entry["layer"]
    layer_class = LAYER_NAMES[_FORMER_NAMES.get(name, name)]
    types = {
        field: FixedPoint(**value) for field, value in entry.items() if isinstance(value, dict)
    }
    values: dict[str, Any] = dict(types)
    for field, value in entry.items():
        if f"{field}_type" in types:
            values[field] = np.asarray(value, dtype=np.float64) * types[f"{field}_type"].step
        elif field == "types":
            values[field] = tuple(FixedPoint(**fixed_type) for fixed_type in value)
        elif field != "layer" and field not in types:
            values[field] = _to_tuples(value)
    return layer_class(**values)


def _to_tuples(value: Any) -> Any:
    return tuple(map(_to_tuples, value)) if isinstance(value, list) else value

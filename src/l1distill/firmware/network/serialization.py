"""A quantized network as a JSON file: weights as integers, types in words."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    Concatenate,
    Conv2D,
    Dense,
    Layer,
    MaxPool2D,
    Multiply,
    Quantize,
    Reshape,
    Square,
    Subtract,
    UpSample2D,
    ZeroPad2D,
)
from l1distill.firmware.network.network import Network

FORMAT = "l1distill-network-2"
KINDS: Mapping[str, type[Layer]] = {
    "dense": Dense,
    "conv2d": Conv2D,
    "affine": Affine,
    "square": Square,
    "quantize": Quantize,
    "max_pool2d": MaxPool2D,
    "up_sample2d": UpSample2D,
    "zero_pad2d": ZeroPad2D,
    "reshape": Reshape,
    "add": Add,
    "subtract": Subtract,
    "multiply": Multiply,
    "concatenate": Concatenate,
}


def save(network: Network, path: Path) -> None:
    """Writes the network, the same bytes for the same network."""
    content = {
        "format": FORMAT,
        "inputs": network.inputs,
        "input_type": network.input_type._asdict(),
        "input_exponents": network.input_exponents,
        "layers": [_entry(layer) for layer in network.layers],
        "output_type": network.output_type._asdict(),
    }
    if network.sources:
        content["sources"] = network.sources
    path.write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")


def load(path: Path) -> Network:
    """Reads a network that :func:`save` wrote.

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
            layers=tuple(_layer(entry) for entry in content["layers"]),
            output_type=FixedPoint(**content["output_type"]),
            input_exponents=tuple(content["input_exponents"]),
            sources=_tuples(content.get("sources", [])),
        )
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; run the synthesis that writes it") from error
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(f"{path}: is no network description ({error}); write it anew") from error


def _entry(layer: Layer) -> dict[str, Any]:
    kind = next(name for name, found in KINDS.items() if type(layer) is found)
    entry: dict[str, Any] = {"layer": kind}
    for field, value in layer._asdict().items():
        if isinstance(value, np.ndarray):  # every array has its type beside it
            entry[field] = getattr(layer, f"{field}_type").codes(value).tolist()
        else:
            entry[field] = value._asdict() if isinstance(value, FixedPoint) else value
    return entry


def _layer(entry: Mapping[str, Any]) -> Layer:
    kind = KINDS[entry["layer"]]
    types = {
        field: FixedPoint(**value) for field, value in entry.items() if isinstance(value, dict)
    }
    fields: dict[str, Any] = dict(types)
    for field, value in entry.items():
        if f"{field}_type" in types:
            fields[field] = np.asarray(value, dtype=np.float64) * types[f"{field}_type"].step
        elif field != "layer" and field not in types:
            fields[field] = _tuples(value)
    return kind(**fields)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

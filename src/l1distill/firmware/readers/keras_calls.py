"""Reads the calls of a Keras model's layers in an order of computation, from its configuration."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from l1distill.firmware.readers.merges import MERGE_LAYERS
from l1distill.firmware.readers.operations import OPERATION_LAYERS, Elements, as_layer, is_tensor
from l1distill.firmware.readers.refusal import refuse

IDENTITY_LAYERS = (
    *("InputLayer", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise"),
    *("GaussianDropout", "AlphaDropout", "ActivityRegularization"),
)
"""Classes that do nothing when the model only predicts."""
STEPWISE_LAYERS = (
    *("Dense", "QDense", "Activation", "QActivation", "ReLU", "LeakyReLU", "PReLU", "ELU"),
    *("BatchNormalization", "QBatchNormalization", "QuantizedBatchNormalization", "Rescaling"),
    *("Normalization", *IDENTITY_LAYERS),
)
"""Classes that compute the same inside ``TimeDistributed`` as without it."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A layer and the numbers of the calls whose results it takes."""

    layer: Any
    """None for an input of the model."""
    sources: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class _Use:
    """One of the calls of a layer that the configuration of a model lists."""

    layer: Any
    node: int
    """Its number among the calls of this layer."""
    tensors: tuple[tuple[str, int, int], ...]
    """Layer, call and number of each tensor that it takes."""


def read_calls(model: Any, sources: Sequence[int], calls: list[Call]) -> list[int]:
    """Append the calls of a model's layers; return the numbers of those that are its outputs.

    Args:
        model: a Keras 2 model, whose layers may be such models themselves.
        sources: the number of the call that gives each of its inputs.
        calls: those before.

    Raises:
        DataError: a layer is used in a way that is not supported.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # QKeras' constraints are not Keras' own
        config = model.get_config()
    if "output_layers" not in config:  # a Sequential model
        (source,) = sources
        for layer in model.layers:
            (source,) = _read_call(layer, [source], calls)
        return [source]
    results: dict[tuple[str, int], list[int]] = {}
    for (name, node, _), source in zip(_ends(config["input_layers"]), sources, strict=True):
        results[name, node] = [source]
    ends = _ends(config["output_layers"])
    waiting = _uses(model, config, ends)
    while waiting:  # a layer that is used again may take what comes from a later one
        later = []
        for use in waiting:
            if all((name, node) in results for name, node, _ in use.tensors):
                taken = [results[name, node][tensor] for name, node, tensor in use.tensors]
                results[use.layer.name, use.node] = _read_call(use.layer, taken, calls)
            else:
                later.append(use)
        if len(later) == len(waiting):
            refuse(later[0].layer, "takes what no layer of the model gives")
        waiting = later
    return [results[name, node][tensor] for name, node, tensor in ends]


def _ends(structure: Any) -> list[tuple[str, int, int]]:
    """Return layer, call and number of each tensor, in the order of ``model.inputs``."""
    if isinstance(structure, Mapping):
        return [end for key in sorted(structure) for end in _ends(structure[key])]
    if isinstance(structure[0], str):
        name, node, tensor = structure[:3]
        return [(name, node, tensor)]
    return [end for part in structure for end in _ends(part)]


def _uses(model: Any, config: Any, ends: Sequence[tuple[str, int, int]]) -> list[_Use]:
    """Return every call, with the number by which others name it: Keras counts from 0 or 1."""
    layers = {layer.name: layer for layer in model.layers}
    uses = []
    for entry in config["layers"]:
        layer = layers[entry["name"]]
        for number, node in enumerate(entry["inbound_nodes"]):
            used, tensors = layer, _tensors(layer, node)
            if type(layer).__name__ in OPERATION_LAYERS:
                used, tensors = as_layer(layer, node)
            uses.append(_Use(layer=used, node=number, tensors=tuple(tensors)))
    named = {(name, node) for name, node, _ in [*ends, *(t for use in uses for t in use.tensors)]}
    first = {name: min(node for other, node in named if other == name) for name, _ in named}
    return [replace(use, node=use.node + first.get(use.layer.name, 0)) for use in uses]


def _tensors(layer: Any, node: Any) -> list[tuple[str, int, int]]:
    """Return what a layer takes in a call."""
    entries = [node] if is_tensor(node) else node
    if type(layer).__name__ not in OPERATION_LAYERS and not all(map(is_tensor, entries)):
        refuse(layer, "takes more than a list of tensors")
    return [(entry[0], entry[1], entry[2]) for entry in entries if is_tensor(entry)]


def _read_call(layer: Any, sources: list[int], calls: list[Call]) -> list[int]:
    if type(layer).__name__ == "TimeDistributed":
        if type(layer.layer).__name__ in ("Flatten", "Reshape"):
            shape = tuple(getattr(layer.layer, "target_shape", (-1,)))
            steps = Elements(name=layer.name, rearrange=lambda x: x.reshape(*x.shape[:2], *shape))
            return _read_call(steps, sources, calls)
        _check_steps(layer, layer.layer)
        return _read_call(layer.layer, sources, calls)
    if hasattr(layer, "layers"):  # a model within the model
        return read_calls(layer, sources, calls)
    if type(layer).__name__ in IDENTITY_LAYERS:
        return sources
    if len(sources) > 1 and type(layer).__name__ not in MERGE_LAYERS:
        refuse(layer, f"has {len(sources)} inputs; several are for {', '.join(MERGE_LAYERS)}")
    calls.append(Call(layer=layer, sources=tuple(sources)))
    return [len(calls) - 1]


def _check_steps(distributed: Any, layer: Any) -> None:
    """Refuse a layer that would not compute the same without its ``TimeDistributed``."""
    if hasattr(layer, "layers"):
        for inner in layer.layers:
            _check_steps(distributed, inner)
    elif type(layer).__name__ not in STEPWISE_LAYERS:
        refuse(
            distributed,
            f"holds a {type(layer).__name__}; dense layers, activations and normalization are "
            "supported there, other layers beside it",
        )

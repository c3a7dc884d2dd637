"""Reads the graph of a Keras model: chains of layers, branches, and merges of several tensors."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from l1distill.core.errors import DataError
from l1distill.firmware.network.layers import Add, BinaryLayer, Concatenate, Multiply, Subtract

IDENTITY_LAYERS = ("InputLayer", "Dropout")
"""Classes that do nothing when the model only predicts."""
MERGE_LAYERS = ("Add", "Subtract", "Multiply", "Concatenate")
"""Classes that take several tensors."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Layers one after the other; the tensors between them go nowhere else."""

    sources: tuple[int, ...]
    """Segments whose results it takes; none for the first, which takes the model's input."""
    layers: tuple[Any, ...]
    """Without identity layers. Of several sources the first layer makes one tensor."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The layers of a model in an order of computation."""

    shape: tuple[int, ...]
    """Of the input, without events."""
    segments: tuple[Segment, ...]
    """Each behind its sources."""
    outputs: tuple[int, ...]
    """Segments whose results are the model's outputs, side by side."""


@dataclass(frozen=True, kw_only=True)
class _Call:
    """A layer and the numbers of the calls whose results it takes."""

    layer: Any
    sources: tuple[int, ...]


def refuse(layer: Any, reason: str) -> NoReturn:
    """Refuse a Keras layer by its name, its class and the reason.

    Raises:
        DataError: always.
    """
    raise DataError(f"layer {layer.name} ({type(layer).__name__}): {reason}")


def input_shape(model: Any) -> tuple[int, ...]:
    """Return the shape of a model's input, without events.

    Raises:
        DataError: the model takes several tensors, or its shape is not fixed.
    """
    if len(model.inputs) != 1:
        refuse(model.layers[0], "only models with one input are supported")
    shape = model.input_shape
    if any(size is None for size in shape[1:]):
        refuse(model.layers[0], f"input shape {shape} is not fixed")
    return tuple(int(size) for size in shape[1:])


def read_graph(model: Any) -> Graph:
    """Read the graph of a model from its configuration.

    The layers' own nodes are not asked: a layer that is shared with another model has nodes of
    that one too.

    Args:
        model: a Keras 2 model with one input, whose layers may be such models themselves.

    Raises:
        DataError: the model is something else.
    """
    shape = input_shape(model)
    calls = [_Call(layer=None, sources=())]
    outputs = _read_calls(model, 0, calls)
    calls, outputs = _without_unused(calls, outputs)
    uses = Counter([*outputs, *(source for call in calls for source in call.sources)])
    segments: list[Segment] = []
    segment_of: list[int] = []
    for call in calls:
        if len(call.sources) == 1 and uses[call.sources[0]] == 1:
            number = segment_of[call.sources[0]]
            before = segments[number]
            segments[number] = replace(before, layers=(*before.layers, call.layer))
        else:
            number = len(segments)
            sources = tuple(segment_of[source] for source in call.sources)
            layers = (call.layer,) if call.sources else ()
            segments.append(Segment(sources=sources, layers=layers))
        segment_of.append(number)
    return Graph(
        shape=shape,
        segments=tuple(segments),
        outputs=tuple(segment_of[output] for output in outputs),
    )


def _without_unused(calls: list[_Call], outputs: list[int]) -> tuple[list[_Call], list[int]]:
    """Leave out unused calls: of a model within the model, results that nobody takes."""
    needed = {0, *outputs}
    for number in reversed(range(len(calls))):
        if number in needed:
            needed.update(calls[number].sources)
    new_number = {number: new for new, number in enumerate(sorted(needed))}
    kept = [
        replace(
            calls[number], sources=tuple(new_number[source] for source in calls[number].sources)
        )
        for number in sorted(needed)
    ]
    return kept, [new_number[output] for output in outputs]


def _read_calls(model: Any, source: int, calls: list[_Call]) -> list[int]:
    """Append the calls of a model's layers; return the numbers of those that are its outputs.

    Args:
        model: a model that takes one tensor.
        source: the number of the call that gives it.
        calls: those before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # QKeras' constraints are not Keras' own
        config = model.get_config()
    if "output_layers" not in config:  # a Sequential model
        for layer in model.layers:
            (source,) = _read_call(layer, [source], calls)
        return [source]
    layers = {layer.name: layer for layer in model.layers}
    results: dict[str, list[int]] = {}
    for entry in config["layers"]:
        layer = layers[entry["name"]]
        sources = [source]
        if entry["class_name"] != "InputLayer":
            sources = [results[name][tensor] for name, tensor in _inbound(layer, entry)]
        results[layer.name] = _read_call(layer, sources, calls)
    return [results[name][tensor] for name, _, tensor in config["output_layers"]]


def _inbound(layer: Any, entry: Any) -> list[tuple[str, int]]:
    """Return the names of the layers whose results a layer takes, and which of their results."""
    if len(entry["inbound_nodes"]) > 1:
        times = len(entry["inbound_nodes"])
        refuse(layer, f"is used {times} times; give each use a layer of its own")
    (node,) = entry["inbound_nodes"]
    if not all(isinstance(source, Sequence) and not isinstance(source, str) for source in node):
        layers = ", ".join(MERGE_LAYERS)
        refuse(layer, f"is an operation and no layer; use {layers} of keras.layers")
    return [(source[0], source[2]) for source in node]


def _read_call(layer: Any, sources: list[int], calls: list[_Call]) -> list[int]:
    if hasattr(layer, "layers"):  # a model within the model
        if len(sources) > 1:
            refuse(layer, "only models with one input are supported")
        return _read_calls(layer, sources[0], calls)
    if type(layer).__name__ in IDENTITY_LAYERS:
        return sources
    if len(sources) > 1 and type(layer).__name__ not in MERGE_LAYERS:
        refuse(layer, f"has {len(sources)} inputs; several are for {', '.join(MERGE_LAYERS)}")
    calls.append(_Call(layer=layer, sources=tuple(sources)))
    return [len(calls) - 1]


def read_merge(layer: Any, shapes: Sequence[tuple[int, ...]]) -> BinaryLayer:
    """Read one of :data:`MERGE_LAYERS`.

    Args:
        layer: the layer.
        shapes: of its inputs, without events.

    Returns:
        The layer for two tensors; of more, it takes the result for those before and the next one,
        see :func:`pairwise_merges`.

    Raises:
        DataError: it would have to repeat a tensor, or concatenates events.
    """
    if type(layer).__name__ == "Concatenate":
        axes = len(shapes[0]) + 1
        axis = range(axes)[layer.axis] - 1
        if axis < 0:
            refuse(layer, "joins along the axis of the events")
        return Concatenate(layer.name, axis=axis)
    if len(set(shapes)) > 1:
        listed = " and ".join(map(str, sorted(set(shapes))))
        refuse(layer, f"takes tensors of the shapes {listed}; repeat the smaller one beforehand")
    merges: dict[str, BinaryLayer] = {
        "Add": Add(layer.name),
        "Subtract": Subtract(layer.name),
        "Multiply": Multiply(layer.name),
    }
    return merges[type(layer).__name__]


def pairwise_merges(merge: BinaryLayer, sources: Sequence[int]) -> list[tuple[BinaryLayer, int]]:
    """Split a merge of several tensors into merges of two.

    Args:
        merge: see :func:`read_merge`; the last one keeps its name.
        sources: numbers of at least two tensors.

    Returns:
        Merges, each with the number of the tensor that is merged with the result before.
    """
    last = len(sources) - 1
    return [
        (merge if number == last else replace(merge, name=f"{merge.name}_{number}"), source)
        for number, source in enumerate(sources)
        if number > 0
    ]

"""Reads how the layers of a Keras model follow one another: in chains, branches and joints."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

from l1distill.core.errors import DataError
from l1distill.firmware.network.layers import Add, BinaryLayer, Concatenate, Multiply, Subtract

PASS_THROUGH = ("InputLayer", "Dropout")
"""Classes that do nothing when the model only predicts."""
JOINTS = ("Add", "Subtract", "Multiply", "Concatenate")
"""Classes that take several tensors."""


class Segment(NamedTuple):
    """Layers one behind the other; what comes out between them goes nowhere else."""

    sources: tuple[int, ...]
    """Segments that it takes the results of; none for the first, which takes the model's input."""
    layers: tuple[Any, ...]
    """Without those that do nothing. Of several sources the first one of them makes one tensor."""


class Graph(NamedTuple):
    """The layers of a model in an order of computation."""

    shape: tuple[int, ...]
    """What goes in, without events."""
    segments: tuple[Segment, ...]
    """Each behind its sources."""
    ends: tuple[int, ...]
    """Segments whose results come out, side by side."""


class _Call(NamedTuple):
    """A layer and the numbers of the calls whose results it takes."""

    layer: Any
    sources: tuple[int, ...]


def refuse(layer: Any, reason: str) -> NoReturn:
    """Refuses a layer by its name, its class and the reason.

    Raises:
        DataError: always.
    """
    raise DataError(f"layer {layer.name} ({type(layer).__name__}): {reason}")


def input_shape(model: Any) -> tuple[int, ...]:
    """Returns what a model takes, without events.

    Raises:
        DataError: it takes several tensors, or its shape is not fixed.
    """
    if len(model.inputs) != 1:
        refuse(model.layers[0], "only models with one input are supported")
    shape = model.input_shape
    if any(size is None for size in shape[1:]):
        refuse(model.layers[0], f"input shape {shape} is not fixed")
    return tuple(int(size) for size in shape[1:])


def read_graph(model: Any) -> Graph:
    """Reads a model.

    The models' configuration is asked, not the layers' own nodes: a layer that is shared with
    another model has nodes of that one too.

    Args:
        model: a Keras 2 model with one input, whose layers may be such models themselves.

    Returns:
        Its layers.

    Raises:
        DataError: it is something else.
    """
    shape = input_shape(model)
    calls = [_Call(None, ())]
    found = _read_calls(model, 0, calls)
    calls, found = _needed(calls, found)
    takers = Counter([*found, *(source for call in calls for source in call.sources)])
    segments: list[Segment] = []
    segment_of: list[int] = []
    for call in calls:
        if len(call.sources) == 1 and takers[call.sources[0]] == 1:
            number = segment_of[call.sources[0]]
            before = segments[number]
            segments[number] = before._replace(layers=(*before.layers, call.layer))
        else:
            number = len(segments)
            sources = tuple(segment_of[source] for source in call.sources)
            segments.append(Segment(sources, (call.layer,) if call.sources else ()))
        segment_of.append(number)
    return Graph(shape, tuple(segments), tuple(segment_of[end] for end in found))


def _needed(calls: list[_Call], ends: list[int]) -> tuple[list[_Call], list[int]]:
    """Leaves out what leads nowhere: of a model within the model, results that nobody takes."""
    needed = {0, *ends}
    for number in reversed(range(len(calls))):
        if number in needed:
            needed.update(calls[number].sources)
    place = {number: at for at, number in enumerate(sorted(needed))}
    kept = [
        _Call(calls[number].layer, tuple(place[source] for source in calls[number].sources))
        for number in sorted(needed)
    ]
    return kept, [place[end] for end in ends]


def _read_calls(model: Any, source: int, calls: list[_Call]) -> list[int]:
    """Appends the calls of a model's layers; returns the numbers of those whose results come out.

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
    """Returns the names of the layers whose results a layer takes, and which of their results."""
    if len(entry["inbound_nodes"]) > 1:
        times = len(entry["inbound_nodes"])
        refuse(layer, f"is used {times} times; give each use a layer of its own")
    (node,) = entry["inbound_nodes"]
    if not all(isinstance(source, Sequence) and not isinstance(source, str) for source in node):
        refuse(layer, f"is an operation and no layer; use {', '.join(JOINTS)} of keras.layers")
    return [(source[0], source[2]) for source in node]


def _read_call(layer: Any, sources: list[int], calls: list[_Call]) -> list[int]:
    if hasattr(layer, "layers"):  # a model within the model
        if len(sources) > 1:
            refuse(layer, "only models with one input are supported")
        return _read_calls(layer, sources[0], calls)
    if type(layer).__name__ in PASS_THROUGH:
        return sources
    if len(sources) > 1 and type(layer).__name__ not in JOINTS:
        refuse(layer, f"has {len(sources)} inputs; several are for {', '.join(JOINTS)}")
    calls.append(_Call(layer, tuple(sources)))
    return [len(calls) - 1]


def read_joint(layer: Any, shapes: Sequence[tuple[int, ...]]) -> BinaryLayer:
    """Reads one of :data:`JOINTS`.

    Args:
        layer: the layer.
        shapes: of what it takes, without events.

    Returns:
        What it does with two tensors; of more, with the result for those before and the next one.

    Raises:
        DataError: it repeats a tensor to make it fit, or joins events.
    """
    kind = type(layer).__name__
    if kind == "Concatenate":
        axes = len(shapes[0]) + 1
        axis = range(axes)[layer.axis] - 1
        if axis < 0:
            refuse(layer, "joins along the axis of the events")
        return Concatenate(layer.name, axis=axis)
    if len(set(shapes)) > 1:
        words = " and ".join(map(str, sorted(set(shapes))))
        refuse(layer, f"takes tensors of the shapes {words}; repeat the smaller one beforehand")
    found: dict[str, BinaryLayer] = {
        "Add": Add(layer.name),
        "Subtract": Subtract(layer.name),
        "Multiply": Multiply(layer.name),
    }
    return found[kind]


def one_by_one(joint: BinaryLayer, sources: Sequence[int]) -> list[tuple[BinaryLayer, int]]:
    """Returns the joints of two tensors each that make one of several.

    Args:
        joint: see :func:`read_joint`; it leaves its name to the last.
        sources: numbers of at least two tensors.

    Returns:
        Joints, each with the tensor that comes to what has been joined before it.
    """
    last = len(sources) - 1
    return [
        (joint if number == last else replace(joint, name=f"{joint.name}_{number}"), source)
        for number, source in enumerate(sources)
        if number > 0
    ]

"""Reads the graph of a Keras model: chains of layers, branches, and merges of several tensors."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from l1distill.firmware.readers.keras_calls import Call, read_calls
from l1distill.firmware.readers.refusal import refuse


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Layers one after the other; the tensors between them go nowhere else."""

    sources: tuple[int, ...]
    """Segments whose results it takes; none for the first ones, which take the model's inputs."""
    layers: tuple[Any, ...]
    """Without identity layers. Of several sources the first layer makes one tensor."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The layers of a model in an order of computation."""

    shapes: tuple[tuple[int, ...], ...]
    """Of each input, without events; the first segments take them, one each."""
    segments: tuple[Segment, ...]
    """Each behind its sources."""
    outputs: tuple[int, ...]
    """Segments whose results are the model's outputs, side by side."""


def input_shapes(model: Any) -> tuple[tuple[int, ...], ...]:
    """Return the shape of each input of a model, without events.

    Raises:
        DataError: a shape is not fixed.
    """
    shapes = []
    for tensor in model.inputs:
        shape = tuple(tensor.shape)
        if any(size is None for size in shape[1:]):
            refuse(model.layers[0], f"input shape {shape} is not fixed")
        shapes.append(tuple(int(size) for size in shape[1:]))
    return tuple(shapes)


def read_graph(model: Any) -> Graph:
    """Read the graph of a model from its configuration.

    The layers' own nodes are not asked: a layer that is shared with another model has nodes of
    that one too.

    Args:
        model: a Keras 2 model, whose layers may be such models themselves.

    Raises:
        DataError: the model is something else.
    """
    shapes = input_shapes(model)
    calls = [Call(layer=None, sources=()) for _ in shapes]
    outputs = read_calls(model, list(range(len(shapes))), calls)
    calls, outputs = _without_unused(calls, outputs, len(shapes))
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
        shapes=shapes,
        segments=tuple(segments),
        outputs=tuple(segment_of[output] for output in outputs),
    )


def _without_unused(
    calls: list[Call], outputs: list[int], inputs: int
) -> tuple[list[Call], list[int]]:
    """Leave out unused calls: of a model within the model, results that nobody takes."""
    needed = {*range(inputs), *outputs}
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

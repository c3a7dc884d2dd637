"""Reads a Keras model in floating point as steps that are to be rounded, in parts of a graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from l1distill.compression.float_layers import (
    FLOAT,
    Activation,
    ArgmaxStep,
    FunctionStep,
    Step,
    read_float_layer,
)
from l1distill.firmware.network.layers import Affine, Concatenate, Conv2D, Dense, Reshape
from l1distill.firmware.network.value_range import ValueRange, value_range_of
from l1distill.firmware.readers.keras_graph import (
    Graph,
    Segment,
    pairwise_merges,
    read_graph,
    read_merge,
    refuse,
)
from l1distill.firmware.readers.softmax import check_softmax


@dataclass(frozen=True, kw_only=True)
class Part:
    """Steps one after the other; the tensors between them go nowhere else."""

    sources: tuple[int, ...]
    """Parts whose results it takes; none for the first, which takes the events."""
    steps: tuple[Step, ...]
    """Of several sources the first step makes one tensor."""


def read_float_model(model: Any, softmax: str | None) -> tuple[tuple[int, ...], list[Part]]:
    """Read what a model computes in floating point.

    Args:
        model: a Keras 2 model.
        softmax: what stands for a softmax at an end; None for nothing.

    Returns:
        The shape of an input, without events, and the parts, each behind its sources.

    Raises:
        DataError: a layer is not supported, or there is nothing to quantize.
    """
    graph = read_graph(model)
    check_softmax(graph, softmax)
    parts: list[Part] = []
    results: list[ValueRange] = []
    for segment in graph.segments:
        part, value_range = _read_segment(segment, graph, results)
        parts.append(part)
        results.append(value_range)
    parts = _with_one_head(_with_one_output(parts, graph, results))
    if not any(isinstance(step, Dense | Conv2D | Affine) for part in parts for step in part.steps):
        refuse(model.layers[-1], "there is nothing to quantize in this model")
    return graph.shape, parts


def _read_segment(
    segment: Segment, graph: Graph, results: list[ValueRange]
) -> tuple[Part, ValueRange]:
    """Read a segment, given the value ranges of those before; their shapes are what counts."""
    steps: list[Step] = []
    layers = list(segment.layers)
    tensor = value_range_of(FLOAT, graph.shape)
    if segment.sources:
        tensor = results[segment.sources[0]]
    if len(segment.sources) > 1:
        merge = read_merge(layers.pop(0), [results[source].shape for source in segment.sources])
        for pair, source in pairwise_merges(merge, segment.sources):
            tensor = pair.value_range(tensor, results[source])
        steps.append(merge)
    for layer in layers:
        for step in read_float_layer(layer, tensor):
            steps.append(step)
            if not isinstance(step, Activation | FunctionStep | ArgmaxStep):
                tensor = step.value_range(tensor)
    return Part(sources=segment.sources, steps=tuple(steps)), tensor


def _with_one_output(parts: list[Part], graph: Graph, results: list[ValueRange]) -> list[Part]:
    """Return the parts with several outputs put side by side."""
    if len(graph.outputs) == 1:
        return parts
    parts, flat = list(parts), []
    for number, output in enumerate(graph.outputs):
        if len(results[output].shape) > 1:
            flatten = Reshape(f"flat_end_{number}", shape=(results[output].size,))
            parts.append(Part(sources=(output,), steps=(flatten,)))
            output = len(parts) - 1
        flat.append(output)
    return [*parts, Part(sources=tuple(flat), steps=(Concatenate("ends", axis=0),))]


def _with_one_head(parts: list[Part]) -> list[Part]:
    """Return the parts with dense layers that end side by side as one that does their work.

    Its results then have the sums' full width up to the last rounding.
    """
    *before, last = parts
    heads = [parts[source] for source in last.sources]
    dense = [step for head in heads for step in head.steps if isinstance(step, Dense)]
    if (
        len(last.steps) != 1
        or not isinstance(last.steps[0], Concatenate)
        or any(len(head.steps) != 1 for head in heads)
        or len(dense) != len(heads)
        or len({head.sources for head in heads}) > 1
    ):
        return parts
    one = Dense(
        "_".join(layer.name for layer in dense),
        kernel=np.concatenate([layer.kernel for layer in dense], axis=1),
        bias=np.concatenate([layer.bias for layer in dense]),
        kernel_type=FLOAT,
        bias_type=FLOAT,
    )
    # all else leads to the heads, so that nothing stands behind them
    return [*before[: min(last.sources)], Part(sources=heads[0].sources, steps=(one,))]

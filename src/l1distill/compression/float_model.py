"""Reads a Keras model in floating point as steps that are to be rounded, in parts of a graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from l1distill.compression.float_layers import Activation, NumericStep, Step, read_float_layer
from l1distill.firmware.network.layers import (
    Affine,
    Concatenate,
    Conv2D,
    Dense,
    Reshape,
    UnaryLayer,
    value_range_after,
)
from l1distill.firmware.network.value_range import ValueRange, value_range_of
from l1distill.firmware.readers.division import Division
from l1distill.firmware.readers.keras_graph import Graph, Segment, read_graph
from l1distill.firmware.readers.merges import Merge, read_merge
from l1distill.firmware.readers.refusal import refuse
from l1distill.firmware.readers.softmax import check_softmax
from l1distill.firmware.readers.untyped import FLOAT


@dataclass(frozen=True, kw_only=True)
class Part:
    """Steps one after the other; the tensors between them go nowhere else."""

    sources: tuple[int, ...]
    """Parts whose results it takes; none for the first ones, which take an input each."""
    steps: tuple[Step, ...]
    """Of several sources the first step makes one tensor."""
    merge: Merge | None = None
    """Of several sources, what the first step belongs to."""


def read_float_model(
    model: Any, softmax: str | None
) -> tuple[tuple[tuple[int, ...], ...], list[Part]]:
    """Read what a model computes in floating point.

    Args:
        model: a Keras 2 model.
        softmax: what stands for a softmax at an end; None for nothing.

    Returns:
        The shape of each input, without events, and the parts, each behind its sources.

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
    return graph.shapes, parts


def _read_segment(
    segment: Segment, graph: Graph, results: list[ValueRange]
) -> tuple[Part, ValueRange]:
    """Read a segment, given the value ranges of those before; their shapes are what counts."""
    steps: list[Step] = []
    layers, merge = list(segment.layers), None
    if not segment.sources:
        tensor = value_range_of(FLOAT, graph.shapes[len(results)])
    elif len(segment.sources) == 1:
        tensor = results[segment.sources[0]]
    else:
        merge = read_merge(layers.pop(0), [results[source].shape for source in segment.sources])
        tensor, *others = (
            value_range_after(before, results[source])
            for before, source in zip(merge.before, segment.sources, strict=True)
        )
        for pair, other in zip(merge.pairs(), others, strict=True):
            tensor = pair.value_range(tensor, other)
        after = [_divided(step) if isinstance(step, Division) else step for step in merge.after]
        tensor = value_range_after(after, tensor)
        steps += [merge.layer, *after]
    for layer in layers:
        for step in read_float_layer(layer, tensor):
            steps.append(step)
            if not isinstance(step, NumericStep):
                tensor = step.value_range(tensor)
    return Part(sources=segment.sources, steps=_reshaped_later(steps), merge=merge), tensor


def _reshaped_later(steps: list[Step]) -> tuple[Step, ...]:
    """Return the steps with activations at the sums of a convolution, before these are reshaped.

    They are rounded once then; a dense layer on the last of several axes is a convolution too.
    """
    ordered: list[Step] = []
    for step in steps:
        is_behind = len(ordered) > 1 and isinstance(ordered[-1], Reshape)
        if is_behind and isinstance(step, Activation) and isinstance(ordered[-2], Conv2D):
            ordered.insert(len(ordered) - 1, step)
        else:
            ordered.append(step)
    return tuple(ordered)


def _divided(division: Division) -> UnaryLayer:
    """Return the layer that multiplies by the share of one, which is rounded later."""
    if division.is_exact:
        (layer,) = division.exact_layers()
        return layer
    shares = 1 / division.counts
    offset = np.zeros_like(shares)
    return Affine(division.name, scale=shares, offset=offset, scale_type=FLOAT, offset_type=FLOAT)


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
    merge = Merge(before=((),) * len(flat), layer=Concatenate("ends", axis=0))
    return [*parts, Part(sources=tuple(flat), steps=(merge.layer,), merge=merge)]


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
        or not heads[0].sources  # of several inputs
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

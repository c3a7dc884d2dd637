"""A network in hls4ml's own words: its layers with the type of every number spelled out."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from l1distill.firmware.network.fixed_point import FixedPoint, smallest_type
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    Arithmetic,
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
from l1distill.firmware.network.network import Network, value_ranges
from l1distill.firmware.network.value_range import ValueRange

_OPERATIONS = {Square: "multiply", Add: "add", Subtract: "subtract", Multiply: "multiply"}


class Node(NamedTuple):
    """A layer of hls4ml."""

    name: str
    kind: str
    """The class of it in hls4ml's layer map."""
    attributes: Mapping[str, Any]
    types: Mapping[str, FixedPoint]
    """The type of each of its variables, such as ``weight`` and ``result``."""


def hls_nodes(network: Network) -> list[Node]:
    """Returns the nodes that compute ``network``, in order, the input first."""
    tensors, wiring = value_ranges(network), network.wiring
    kind = network.input_type
    nodes = [Node("ports", "InputLayer", {"input_shape": [network.inputs]}, {"result": kind.bare})]
    if kind.overflow == "SAT_SYM":  # the bits of a port cannot say that
        nodes.append(_cast("symmetric_ports", tensors[0], kind))
    names, kinds = [nodes[-1].name], [kind]
    done = False
    for number, (layer, taken) in enumerate(zip(network.layers, wiring, strict=True)):
        after = tensors[number + 1]
        if done:  # with the layer before it
            names.append(names[-1])
            kinds.append(kinds[-1])
            done = False
            continue
        if isinstance(layer, Dense | Conv2D | Affine | Arithmetic):
            # hls4ml rounds and clips sums on their way out: no node of its own for that
            follower = _alone(network, number)
            done = isinstance(follower, Quantize) and follower.negative_slope == 1.0
            kind = follower.type if isinstance(follower, Quantize) and done else _wide(after)
        elif isinstance(layer, Quantize):
            kind = layer.type
        elif isinstance(layer, Square | Concatenate):
            kind = _wide(after)
        else:  # the same numbers
            kind = kinds[taken[0]]
        name = f"layer{number}_" + re.sub(r"\W", "_", layer.name)
        node = _node(name, layer, tensors[taken[0]], after, kind)
        # a square is a product of the tensor with itself
        sources = taken * 2 if isinstance(layer, Square) else taken
        inputs = {"inputs": [names[source] for source in sources]}
        nodes.append(node._replace(attributes={**node.attributes, **inputs}))
        names.append(name)
        kinds.append(kind)
    return nodes


def _alone(network: Network, number: int) -> Layer | None:
    """Returns the layer that comes next, if it alone takes what layer ``number`` gives."""
    takers = [at for at, taken in enumerate(network.wiring) if number + 1 in taken]
    return network.layers[number + 1] if takers == [number + 1] else None


def _wide(tensor: ValueRange) -> FixedPoint:
    """Returns a type that holds the tensor as it is; at least a bit, even for zeros alone."""
    kind = tensor.type
    return kind.bare if kind.bits else replace(kind, integer=kind.integer + 1).bare


def _cast(name: str, tensor: ValueRange, kind: FixedPoint) -> Node:
    attributes = {"activation": "linear", "n_in": tensor.low.size}
    return Node(name, "Activation", attributes, {"result": kind})


def _node(name: str, layer: Layer, before: ValueRange, after: ValueRange, kind: FixedPoint) -> Node:
    """Returns the node of ``layer``, whose results have the type ``kind``."""
    attributes: dict[str, Any]
    if isinstance(layer, Dense | Conv2D):
        constants = {"weight_data": layer.kernel, "bias_data": layer.bias}
        types = {
            "weight": layer.kernel_type.bare,
            "bias": layer.bias_type.bare,
            "accum": _wide(after),  # partial sums may wrap: the whole one is within the range
            "result": kind,
        }
        if isinstance(layer, Dense):
            n_in, n_out = layer.kernel.shape
            return Node(name, "Dense", {"n_in": n_in, "n_out": n_out, **constants}, types)
        height, width, n_in, n_out = layer.kernel.shape
        attributes = {
            **_image(before, after, "n_chan"),
            **_margins(layer.margins(before.shape)),
            "n_filt": n_out,
            "filt_height": height,
            "filt_width": width,
            "stride_height": layer.strides[0],
            "stride_width": layer.strides[1],
        }
        return Node(name, "Conv2D", attributes | constants, types)
    if isinstance(layer, Affine):
        whole = layer.scale.shape == before.shape
        attributes = {
            "n_in": before.low.size,
            "n_filt": -1 if whole else layer.scale.size,
            "scale_data": layer.scale.ravel(),
            "bias_data": layer.offset.ravel(),
        }
        types = {
            "scale": layer.scale_type.bare,
            "bias": layer.offset_type.bare,
            "result": kind,
        }
        return Node(name, "ApplyAlpha", attributes, types)
    if isinstance(layer, Quantize):
        if layer.negative_slope == 1.0:
            return _cast(name, after, kind)
        fraction = -math.frexp(layer.negative_slope)[1] + 1
        slope = smallest_type(0.0, layer.negative_slope, fraction).bare
        attributes = {
            "activation": "leaky_relu",
            "activ_param": layer.negative_slope,
            "n_in": after.low.size,
        }
        return Node(name, "LeakyReLU", attributes, {"param": slope, "result": kind})
    types = {"result": kind}
    if isinstance(layer, Square | Arithmetic):
        return Node(name, "Merge", {"op": _OPERATIONS[type(layer)]}, types)
    if isinstance(layer, Concatenate):
        attributes = {"op": f"concatenate{len(after.shape)}d", "axis": layer.axis + 1}
        return Node(name, "Concatenate", attributes, types)
    if isinstance(layer, MaxPool2D):
        height, width = layer.size
        attributes = {
            **_image(before, after, "n_filt"),
            **_margins(((0, 0), (0, 0))),
            "pool_height": height,
            "pool_width": width,
            "stride_height": height,
            "stride_width": width,
        }
        return Node(name, "MaxPooling2D", attributes, {"accum": kind, **types})
    if isinstance(layer, UpSample2D):
        attributes = _image(before, after, "n_chan") | {"algorithm": "nearest"}
        return Node(name, "UpSampling2D", attributes, types)
    if isinstance(layer, ZeroPad2D):
        attributes = _image(before, after, "n_chan") | _margins(layer.margins)
        return Node(name, "ZeroPadding2D", attributes, types)
    assert isinstance(layer, Reshape)
    return Node(name, "Reshape", {"target_shape": list(layer.shape)}, types)


def _image(before: ValueRange, after: ValueRange, channels: str) -> dict[str, Any]:
    return {
        "in_height": before.shape[0],
        "in_width": before.shape[1],
        "out_height": after.shape[0],
        "out_width": after.shape[1],
        channels: before.shape[2],
    }


def _margins(margins: tuple[tuple[int, int], tuple[int, int]]) -> dict[str, int]:
    (top, bottom), (left, right) = margins
    return {"pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right}

"""The layer of hls4ml that computes a layer, with the type of every number spelled out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from l1distill.firmware.hls.element_quantizer import ELEMENT_QUANTIZER
from l1distill.firmware.hls.select_layer import SELECT
from l1distill.firmware.hls.tree_layer import TREES
from l1distill.firmware.network.back_ends import back_end
from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    Arithmetic,
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
from l1distill.firmware.network.value_range import ValueRange

_OPERATIONS = {Add: "add", Subtract: "subtract", Multiply: "multiply"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """A layer of hls4ml."""

    name: str
    class_name: str
    """Its class in hls4ml's layer map."""
    attributes: Mapping[str, Any]
    types: Mapping[str, FixedPoint]
    """The type of each of its variables, such as ``weight`` and ``result``."""
    rounds: bool = False
    """Whether it also does the work of the quantizer behind its layer."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Place:
    """What a node has to know of its layer's place in the network."""

    name: str
    """Of the node."""
    sources: Sequence[str]
    """Names of the nodes whose results it takes."""
    inputs: ValueRange
    """Of the first tensor that it takes."""
    input_type: FixedPoint
    """The type of that tensor in the project."""
    results: ValueRange
    quantizer: Quantize | None
    """The layer behind, if that is a quantizer without a slope which alone takes the results."""

    @property
    def result_type(self) -> FixedPoint:
        """The type of computed results: that of the quantizer behind, or a wide one.

        hls4ml rounds and clips sums on their way out: no node of its own for that.
        """
        return self.quantizer.type if self.quantizer else _lossless_type(self.results)

    def node(
        self,
        class_name: str,
        attributes: Mapping[str, Any],
        types: Mapping[str, FixedPoint],
        rounds: bool = False,
    ) -> Node:
        """Return a node at this place."""
        return Node(
            name=self.name,
            class_name=class_name,
            attributes={**attributes, "inputs": list(self.sources)},
            types=types,
            rounds=rounds and self.quantizer is not None,
        )


def _lossless_type(tensor: ValueRange) -> FixedPoint:
    """Return a type that holds the tensor without loss; zeros alone get a bit before the point.

    With no bit near the point, the C++ types of HLS cannot round such a zero to another type.
    """
    fixed_type = tensor.type
    if not fixed_type.bits:
        fixed_type = replace(fixed_type, integer=max(fixed_type.integer, 0) + 1)
    return fixed_type.bare


@back_end("hls4ml project")
def make_node(layer: Layer, place: Place) -> Node:
    """Make the node of a layer.

    Args:
        layer: the layer.
        place: its place in the network.

    Returns:
        The node; the type of its ``result`` is that of the tensor in the project.
    """
    raise NotImplementedError


def _linear_types(layer: Dense | Conv2D, place: Place) -> dict[str, FixedPoint]:
    return {
        "weight": layer.kernel_type.bare,
        "bias": layer.bias_type.bare,
        # partial sums may wrap: the whole one is within the range
        "accum": _lossless_type(place.results),
        "result": place.result_type,
    }


@make_node.register
def _make_dense(layer: Dense, place: Place) -> Node:
    n_in, n_out = layer.kernel.shape
    attributes = {
        "n_in": n_in,
        "n_out": n_out,
        "weight_data": layer.kernel,
        "bias_data": layer.bias,
    }
    return place.node("Dense", attributes, _linear_types(layer, place), rounds=True)


@make_node.register
def _make_convolution(layer: Conv2D, place: Place) -> Node:
    height, width, _, n_out = layer.kernel.shape
    attributes = {
        **_image(place, "n_chan"),
        **_margins(layer.margins(place.inputs.shape)),
        "n_filt": n_out,
        "filt_height": height,
        "filt_width": width,
        "stride_height": layer.strides[0],
        "stride_width": layer.strides[1],
        "weight_data": layer.kernel,
        "bias_data": layer.bias,
    }
    return place.node("Conv2D", attributes, _linear_types(layer, place), rounds=True)


@make_node.register
def _make_affine(layer: Affine, place: Place) -> Node:
    is_elementwise = layer.scale.shape == place.inputs.shape
    attributes = {
        "n_in": place.inputs.size,
        "n_filt": -1 if is_elementwise else layer.scale.size,
        "scale_data": layer.scale.ravel(),
        "bias_data": layer.offset.ravel(),
    }
    types = {
        "scale": layer.scale_type.bare,
        "bias": layer.offset_type.bare,
        "result": place.result_type,
    }
    return place.node("ApplyAlpha", attributes, types, rounds=True)


@make_node.register
def _make_quantizer(layer: Quantize, place: Place) -> Node:
    size = place.results.size
    if layer.negative_slope == 1.0:
        attributes: dict[str, Any] = {"activation": "linear", "n_in": size}
        return place.node("Activation", attributes, {"result": layer.type})
    slope_type = grid_of([layer.negative_slope]).bare
    attributes = {
        "activation": "leaky_relu",
        "activ_param": layer.negative_slope,
        "n_in": size,
    }
    return place.node("LeakyReLU", attributes, {"param": slope_type, "result": layer.type})


@make_node.register
def _make_element_quantizer(layer: QuantizeElements, place: Place) -> Node:
    types = [kind.cpp if kind.bits else "" for kind in layer.types]
    result = {"result": _lossless_type(place.results)}
    return place.node(ELEMENT_QUANTIZER, {"element_types": types}, result)


@make_node.register
def _make_table(layer: Lookup, place: Place) -> Node:
    attributes = {
        "activation": "unary_lut",
        "n_in": place.inputs.size,
        "table_data": layer.table,
    }
    types = {"table": layer.table_type.bare, "result": layer.table_type.bare}
    return place.node("UnaryLUT", attributes, types)


@make_node.register
def _make_trees(layer: DecisionTrees, place: Place) -> Node:
    leaf_type = layer.leaves_type.bare
    attributes = {"nodes": layer.columns, "leaves": layer.leaves, "leaf_type": leaf_type.cpp}
    return place.node(TREES, attributes, {"result": leaf_type})


@make_node.register
def _make_square(_: Square, place: Place) -> Node:
    # a square is a product of the tensor with itself
    place = replace(place, sources=[*place.sources, *place.sources])
    return place.node("Merge", {"op": "multiply"}, {"result": _lossless_type(place.results)})


@make_node.register
def _make_arithmetic(layer: Arithmetic, place: Place) -> Node:
    attributes = {"op": _OPERATIONS[type(layer)]}
    return place.node("Merge", attributes, {"result": place.result_type}, rounds=True)


@make_node.register
def _make_concatenation(layer: Concatenate, place: Place) -> Node:
    attributes = {"op": f"concatenate{len(place.results.shape)}d", "axis": layer.axis + 1}
    return place.node("Concatenate", attributes, {"result": _lossless_type(place.results)})


@make_node.register
def _make_max_pooling(layer: MaxPool2D, place: Place) -> Node:
    height, width = layer.size
    attributes = {
        **_image(place, "n_filt"),
        **_margins(((0, 0), (0, 0))),
        "pool_height": height,
        "pool_width": width,
        "stride_height": height,
        "stride_width": width,
    }
    types = {"accum": place.input_type, "result": place.input_type}
    return place.node("MaxPooling2D", attributes, types)


@make_node.register
def _make_up_sampling(_: UpSample2D, place: Place) -> Node:
    attributes = {**_image(place, "n_chan"), "algorithm": "nearest"}
    return place.node("UpSampling2D", attributes, {"result": place.input_type})


@make_node.register
def _make_zero_padding(layer: ZeroPad2D, place: Place) -> Node:
    attributes = {**_image(place, "n_chan"), **_margins(layer.margins)}
    return place.node("ZeroPadding2D", attributes, {"result": place.input_type})


@make_node.register
def _make_reshape(layer: Reshape, place: Place) -> Node:
    return place.node("Reshape", {"target_shape": list(layer.shape)}, {"result": place.input_type})


@make_node.register
def _make_selection(layer: Select, place: Place) -> Node:
    attributes = {"indices": list(layer.indices), "target_shape": list(layer.shape)}
    return place.node(SELECT, attributes, {"result": place.input_type})


def _image(place: Place, channels: str) -> dict[str, Any]:
    """Return the attributes of an image; ``channels`` is the name of one of them."""
    return {
        "in_height": place.inputs.shape[0],
        "in_width": place.inputs.shape[1],
        "out_height": place.results.shape[0],
        "out_width": place.results.shape[1],
        channels: place.inputs.shape[2],
    }


def _margins(margins: tuple[tuple[int, int], tuple[int, int]]) -> dict[str, int]:
    (top, bottom), (left, right) = margins
    return {"pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right}

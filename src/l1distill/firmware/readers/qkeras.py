"""Reads a QKeras model, or a proxy of HGQ, into a quantized network, exactly as it was trained."""

from typing import Any

from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.network import Network
from l1distill.firmware.readers.hgq import ExactConstants, is_proxy
from l1distill.firmware.readers.keras_graph import read_graph
from l1distill.firmware.readers.ports import read_ports
from l1distill.firmware.readers.segment_reader import SegmentReader
from l1distill.firmware.readers.softmax import check_softmax
from l1distill.firmware.readers.untyped import TypeChooser


def from_qkeras(
    model: Any,
    functions: FunctionApproximator | None = None,
    types: TypeChooser | None = None,
) -> Network:
    """Read a QKeras model, or a proxy model of HGQ, into a :class:`Network`.

    Args:
        model: a Keras 2 model: an input quantizer, then quantized layers, which may branch and
            meet again. In front of the quantizer may stand a ``Rescaling`` by powers of two.
            Several outputs come out side by side.
        functions: makes sigmoids and tanhs that are not QKeras' own hard ones, and records how
            far off they are; such functions are refused if None.
        types: chooses the types of inputs, weights and results that have none in the model, and
            records what it assumes; such models are refused if None.

    Returns:
        The network, its weights quantized and exactly on their grids.

    Raises:
        DataError: a layer is not supported; the line names it, its class and the reason.
    """
    if types is None and is_proxy(model):
        types = ExactConstants()
    graph = read_graph(model)
    check_softmax(graph, functions.softmax if functions else None)
    inputs = len(graph.shapes)
    firsts = [list(segment.layers) for segment in graph.segments[:inputs]]
    ports = read_ports(graph.shapes, firsts, model, types)
    builder = Builder(ports.inputs, ports.type, ports.exponents, ports.types)
    if types is not None:
        types.begin(builder)
    reader = SegmentReader(builder, functions, types, ports.is_typed)
    results = []
    for front, first in zip(ports.fronts, firsts, strict=True):
        reader.tensor = 0
        for layer in front:
            reader.append(layer)
        results.append(reader.read_segment([reader.tensor], first))
    for segment in graph.segments[inputs:]:
        sources = [results[source] for source in segment.sources]
        results.append(reader.read_segment(sources, segment.layers))
    reader.concatenate_outputs([results[output] for output in graph.outputs])
    return builder.network()

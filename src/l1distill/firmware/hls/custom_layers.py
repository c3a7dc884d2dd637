"""Layers that hls4ml has not, and how they are made known to it."""

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from l1distill.firmware.hls import element_quantizer, select_layer, tree_layer


@dataclass(frozen=True, kw_only=True)
class CustomLayer:
    """A layer of hls4ml of our own.

    Attributes:
        add_output: gives a node of hls4ml its output variable.
        config: from a node to the C++ struct that holds its constants.
        call: template of the C++ call.
        header: name of the file of ours with its C++; empty where the struct has all.
    """

    add_output: Callable[[Any], None]
    config: Callable[[Any], str]
    call: str
    header: str = ""


CUSTOM_LAYERS = {
    select_layer.SELECT: CustomLayer(
        add_output=select_layer.add_output,
        config=select_layer.config,
        call=select_layer.CALL,
        header=select_layer.HEADER,
    ),
    element_quantizer.ELEMENT_QUANTIZER: CustomLayer(
        add_output=element_quantizer.add_output,
        config=element_quantizer.config,
        call=element_quantizer.CALL,
    ),
    tree_layer.TREES: CustomLayer(
        add_output=tree_layer.add_output,
        config=tree_layer.config,
        call=tree_layer.CALL,
        header=tree_layer.HEADER,
    ),
}
"""By the name of their class in hls4ml's layer map."""


def register_custom_layers(names: Collection[str], backend: str) -> None:
    """Make those layers known to a back end of hls4ml that are ours.

    Args:
        names: of classes in hls4ml's layer map, hls4ml's own among them.
        backend: ``Vitis`` or ``Vivado``.
    """
    for name in CUSTOM_LAYERS:
        if name in names:
            _register(name, backend)


def write_headers(names: Collection[str], folder: Path) -> None:
    """Write the C++ of those layers into a project that are ours.

    hls4ml's own ``register_source`` would put it into every project that this process writes
    afterwards, whether it has the layer or not.

    Args:
        names: of classes in hls4ml's layer map, hls4ml's own among them.
        folder: the project's.
    """
    for name, layer in CUSTOM_LAYERS.items():
        if name in names and layer.header:
            source = resources.files("l1distill.firmware.hls") / "sources" / layer.header
            target = folder / "firmware" / "nnet_utils" / layer.header
            target.write_bytes(source.read_bytes())


@functools.cache
def _register(name: str, backend: str) -> None:
    from hls4ml.backends import get_backend
    from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate

    layer, layer_class = CUSTOM_LAYERS[name], _layer_class(name)

    class Config(LayerConfigTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(layer_class)

        def format(self, node: Any) -> str:
            return layer.config(node)

    class Call(FunctionCallTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            headers = [f"nnet_utils/{layer.header}"] if layer.header else []
            super().__init__(layer_class, include_header=headers)

        def format(self, node: Any) -> str:
            return layer.call.format(**self._default_function_params(node))

    target = get_backend(backend)
    target.register_template(Config)
    target.register_template(Call)


@functools.cache
def _layer_class(name: str) -> Any:
    """Make the class in hls4ml's layer map, once for all back ends."""
    from hls4ml.model.layers import Layer, register_layer

    layer_class = type(name, (Layer,), {"initialize": CUSTOM_LAYERS[name].add_output})
    register_layer(name, layer_class)
    return layer_class

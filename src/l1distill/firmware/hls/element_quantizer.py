"""A layer of hls4ml that gives each element a type of its own.

hls4ml's layer for that, of HGQ's models, has hls4ml choose all types of a project by itself.
"""

import functools
from typing import Any

ELEMENT_QUANTIZER = "L1DistillQuantizeElements"
"""The name of the class in hls4ml's layer map."""
_CONFIG = """\
struct config{index} {{
    template <class data_T, class res_T> static void quantize(data_T *data, res_T *res) {{
        #pragma HLS INLINE
{lines}
    }}
}};
"""
_CALL = "{config}::quantize<{input_t}, {output_t}>({input}, {output});"


@functools.cache
def register_element_quantizer(backend: str) -> None:
    """Make the layer known to a back end of hls4ml.

    Args:
        backend: ``Vitis`` or ``Vivado``.
    """
    from hls4ml.backends import get_backend
    from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
    from hls4ml.model.layers import Layer, register_layer

    layer_class = _layer_class(Layer, register_layer)

    class Config(LayerConfigTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(layer_class)

        def format(self, node: Any) -> str:
            # a type without any bit, written as 0, is not one of C++'s
            kinds = enumerate(node.get_attr("element_types"))
            values = (f"{kind}(data[{i}])" if kind else "0" for i, kind in kinds)
            lines = (f"        res[{i}] = {value};" for i, value in enumerate(values))
            return _CONFIG.format(index=node.index, lines="\n".join(lines))

    class Call(FunctionCallTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(layer_class, include_header=[])

        def format(self, node: Any) -> str:
            return _CALL.format(**self._default_function_params(node))

    target = get_backend(backend)
    target.register_template(Config)
    target.register_template(Call)


@functools.cache
def _layer_class(base: Any, register: Any) -> Any:
    """Make the class in hls4ml's layer map, once for all back ends."""

    def initialize(self: Any) -> None:
        self.add_output_variable(self.get_input_variable().shape)

    layer_class = type(ELEMENT_QUANTIZER, (base,), {"initialize": initialize})
    register(ELEMENT_QUANTIZER, layer_class)
    return layer_class

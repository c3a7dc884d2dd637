"""A layer of hls4ml that picks elements by their number: hls4ml has none of its own."""

import functools
from importlib import resources
from pathlib import Path
from typing import Any

SELECT = "L1DistillSelect"
"""The name of the class in hls4ml's layer map."""
_HEADER = "nnet_select.h"
_CONFIG = """\
const unsigned config{index}_indices[{n_out}] = {{{indices}}};

struct config{index} {{
    static const unsigned n_in = {n_in};
    static const unsigned n_out = {n_out};
    static unsigned index(unsigned i) {{
        #pragma HLS INLINE
        return config{index}_indices[i];
    }}
}};
"""
_CALL = "nnet::select<{input_t}, {output_t}, {config}>({input}, {output});"


@functools.cache
def register_select_layer(backend: str) -> None:
    """Make the layer known to a back end of hls4ml.

    Args:
        backend: ``Vitis`` or ``Vivado``.
    """
    import math

    from hls4ml.backends import get_backend
    from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
    from hls4ml.model.layers import Layer, register_layer

    layer_class = _layer_class(Layer, register_layer)

    class Config(LayerConfigTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(layer_class)

        def format(self, node: Any) -> str:
            return _CONFIG.format(
                index=node.index,
                n_in=math.prod(node.get_input_variable().shape),
                n_out=len(node.get_attr("indices")),
                indices=", ".join(map(str, node.get_attr("indices"))),
            )

    class Call(FunctionCallTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(layer_class, include_header=[f"nnet_utils/{_HEADER}"])

        def format(self, node: Any) -> str:
            return _CALL.format(**self._default_function_params(node))

    target = get_backend(backend)
    target.register_template(Config)
    target.register_template(Call)


def write_select_source(folder: Path) -> None:
    """Write the layer's C++ into a project.

    hls4ml's own ``register_source`` would put it into every project that this process writes
    afterwards, whether it has the layer or not.

    Args:
        folder: the project's.
    """
    source = resources.files("l1distill.firmware.hls") / "sources" / _HEADER
    (folder / "firmware" / "nnet_utils" / _HEADER).write_bytes(source.read_bytes())


@functools.cache
def _layer_class(base: Any, register: Any) -> Any:
    """Make the class in hls4ml's layer map, once for all back ends."""

    def initialize(self: Any) -> None:
        source = self.get_input_variable()
        shape = list(self.get_attr("target_shape"))
        self.add_output_variable(shape, precision=source.type.precision)

    layer_class = type(SELECT, (base,), {"initialize": initialize})
    register(SELECT, layer_class)
    return layer_class

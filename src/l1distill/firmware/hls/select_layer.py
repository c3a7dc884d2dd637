"""A layer of hls4ml that picks elements by their number: hls4ml has none of its own."""

import math
from typing import Any

SELECT = "L1DistillSelect"
"""The name of the class in hls4ml's layer map."""
HEADER = "nnet_select.h"
CALL = "nnet::select<{input_t}, {output_t}, {config}>({input}, {output});"
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


def config(node: Any) -> str:
    """Return the C++ struct of a node, with the numbers of the elements that it picks."""
    return _CONFIG.format(
        index=node.index,
        n_in=math.prod(node.get_input_variable().shape),
        n_out=len(node.get_attr("indices")),
        indices=", ".join(map(str, node.get_attr("indices"))),
    )


def add_output(node: Any) -> None:
    """Give a node its output variable, of the type of its input."""
    precision = node.get_input_variable().type.precision
    node.add_output_variable(list(node.get_attr("target_shape")), precision=precision)

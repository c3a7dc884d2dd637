"""A layer of hls4ml that gives each element a type of its own.

hls4ml's layer for that, of HGQ's models, has hls4ml choose all types of a project by itself.
"""

from typing import Any

ELEMENT_QUANTIZER = "L1DistillQuantizeElements"
"""The name of the class in hls4ml's layer map."""
CALL = "{config}::quantize<{input_t}, {output_t}>({input}, {output});"
_CONFIG = """\
struct config{index} {{
    template <class data_T, class res_T> static void quantize(data_T *data, res_T *res) {{
        #pragma HLS INLINE
{lines}
    }}
}};
"""


def config(node: Any) -> str:
    """Return the C++ struct of a node, which computes it."""
    # a type without any bit, written as 0, is not one of C++'s
    kinds = enumerate(node.get_attr("element_types"))
    values = (f"{kind}(data[{i}])" if kind else "0" for i, kind in kinds)
    lines = (f"        res[{i}] = {value};" for i, value in enumerate(values))
    return _CONFIG.format(index=node.index, lines="\n".join(lines))


def add_output(node: Any) -> None:
    """Give a node its output variable, of the shape of its input."""
    node.add_output_variable(node.get_input_variable().shape)

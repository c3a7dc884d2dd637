"""A layer of hls4ml that follows decision trees to their leaves: hls4ml has none of its own."""

from typing import Any

import numpy as np

TREES = "L1DistillDecisionTrees"
"""The name of the class in hls4ml's layer map."""
HEADER = "nnet_trees.h"
CALL = "nnet::decision_trees<{input_t}, {output_t}, {config}>({input}, {output});"
_CONFIG = """\
const unsigned config{index}_nodes[{n_nodes}] = {{{nodes}}};
const {leaf_type} config{index}_leaves[{n_leaves}] = {{{leaves}}};

struct config{index} {{
    static const unsigned n_in = {n_in};
    static const unsigned trees = {trees};
    static const unsigned depth = {depth};
    static unsigned node(unsigned tree, unsigned k) {{
        #pragma HLS INLINE
        return config{index}_nodes[tree * {nodes_each} + k];
    }}
    static {leaf_type} leaf(unsigned tree, unsigned k) {{
        #pragma HLS INLINE
        return config{index}_leaves[tree * {leaves_each} + k];
    }}
}};
"""


def config(node: Any) -> str:
    """Return the C++ struct of a node, with the nodes and leaves of all trees."""
    nodes, leaves = np.asarray(node.get_attr("nodes")), np.asarray(node.get_attr("leaves"))
    (inputs,) = node.get_input_variable().shape
    return _CONFIG.format(
        index=node.index,
        n_in=inputs,
        n_nodes=nodes.size,
        n_leaves=leaves.size,
        nodes_each=nodes.shape[1],
        leaves_each=leaves.shape[1],
        trees=len(nodes),
        depth=leaves.shape[1].bit_length() - 1,
        nodes=", ".join(map(str, nodes.ravel().tolist())),
        leaf_type=node.get_attr("leaf_type"),
        leaves=", ".join(map(repr, leaves.ravel().tolist())),
    )


def add_output(node: Any) -> None:
    """Give a node its output variable: a leaf value of each tree."""
    node.add_output_variable([len(node.get_attr("nodes"))])

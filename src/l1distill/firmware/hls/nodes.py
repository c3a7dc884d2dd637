"""The layers of hls4ml that compute a network, one after the other."""

import re

from l1distill.firmware.hls.layer_nodes import Node, Place, make_node
from l1distill.firmware.network.layers import Quantize
from l1distill.firmware.network.network import Network, value_ranges


def hls_nodes(network: Network) -> list[Node]:
    """Return the nodes that compute ``network``, in order, the input first."""
    ranges, input_type = value_ranges(network), network.input_type
    ports = Node(
        name="ports",
        class_name="InputLayer",
        attributes={"input_shape": [network.inputs]},
        types={"result": input_type.bare},
    )
    nodes = [ports]
    if input_type.overflow == "SAT_SYM":  # the bits of a port cannot say that
        nodes.append(
            Node(
                name="symmetric_ports",
                class_name="Activation",
                attributes={"activation": "linear", "n_in": network.inputs},
                types={"result": input_type},
            )
        )
    # of each tensor, the node that it comes from and its type
    names, types = [nodes[-1].name], [input_type]
    is_rounded = False
    for number, (layer, taken) in enumerate(zip(network.layers, network.wiring, strict=True)):
        if is_rounded:  # by the node before
            names.append(names[-1])
            types.append(types[-1])
            is_rounded = False
            continue
        place = Place(
            name=f"layer{number}_" + re.sub(r"\W", "_", layer.name),
            sources=[names[source] for source in taken],
            inputs=ranges[taken[0]],
            input_type=types[taken[0]],
            results=ranges[number + 1],
            quantizer=_quantizer_behind(network, number),
        )
        node = make_node(layer, place)
        nodes.append(node)
        names.append(node.name)
        types.append(node.types["result"])
        is_rounded = node.rounds
    return nodes


def _quantizer_behind(network: Network, number: int) -> Quantize | None:
    """Return the layer behind, if it is a plain quantizer that alone takes the results."""
    takers = [taker for taker, taken in enumerate(network.wiring) if number + 1 in taken]
    if takers != [number + 1]:
        return None
    layer = network.layers[number + 1]
    return layer if isinstance(layer, Quantize) and layer.negative_slope == 1.0 else None

"""Estimates what a network costs from its numbers alone: for a search that cannot synthesize.

The logic is adders (distributed arithmetic; a score multiplies too): a weight of ``d`` digits takes
``d`` of the terms that a sum adds up. Terms times the width of the sum is what the LUTs follow;
sharing of common terms makes large layers cheaper than that. ``benchmarks/cost.py`` fits the
constants to yosys and to alkaid's pipelines, and says how well they rank networks that it did not
fit to. Bit operations are those of HGQ (arXiv:2405.00645, section III): the widths of weight and
input multiplied, summed over the multiplications that are left.
"""

from dataclasses import dataclass

from l1distill.firmware.cost.layer_cost import LayerCost, count_layer
from l1distill.firmware.cost.used_elements import used_elements
from l1distill.firmware.network.network import Network, value_ranges


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Estimates of a network's firmware; they leave out what their names do not mention."""

    lut_estimate: float
    latency_ns_estimate: float
    """Through the logic from end to end, before it is cut into cycles."""
    latency_cycles_estimate: float
    """At the given budget for a pipeline stage."""
    bit_operations: float


@dataclass(frozen=True, kw_only=True)
class Constants:
    """The fitted constants of the estimate.

    Attributes:
        adder: LUT a bit of a sum's terms.
        sharing: the power of a layer's outputs by which its terms become fewer.
        rounding: LUT a bit of a number that is rounded or clipped, not at zero alone.
        maximum: LUT a bit of a number that is compared.
        level_ns: delay of one level of a tree of adders [ns].
        quantize_ns: delay of rounding and clipping [ns].
        compare_ns: delay of a comparison [ns].
    """

    adder: float = 0.88
    sharing: float = 0.093
    rounding: float = 2.4
    maximum: float = 1.5
    level_ns: float = 1.65
    quantize_ns: float = 0.0
    compare_ns: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Features:
    """What the estimates are made of, summed over a network.

    Attributes:
        linear: of each layer that adds, the bits of its terms and the number of its outputs.
        rounded: bits of numbers that are rounded or clipped, not at zero alone.
        compared: bits of numbers that are compared.
        tables: LUTs of tables, those in block RAM left out.
        levels: of adders, one behind the other.
        quantizers: one behind the other, those that change anything.
        comparisons: one behind the other.
        bit_operations: see :class:`Cost`.
    """

    linear: tuple[tuple[float, int], ...]
    rounded: float
    compared: float
    tables: float
    levels: float
    quantizers: int
    comparisons: int
    bit_operations: float


def estimate(network: Network, stage_ns: float, constants: Constants | None = None) -> Cost:
    """Estimate the firmware of a network in about a millisecond.

    Args:
        network: with its weights; of a candidate that has none yet, random ones.
        stage_ns: budget of delay for a pipeline stage, ``firmware.latency_cutoff_ns`` [ns].
        constants: others than the fitted ones.
    """
    return weigh(count_features(network), stage_ns, constants or Constants())


def weigh(features: Features, stage_ns: float, constants: Constants) -> Cost:
    """Weigh the features of a network with constants."""
    adders = sum(bits * outputs**-constants.sharing for bits, outputs in features.linear)
    delay = (
        constants.level_ns * features.levels
        + constants.quantize_ns * features.quantizers
        + constants.compare_ns * features.comparisons
    )
    lut = constants.adder * adders
    lut += constants.rounding * features.rounded + constants.maximum * features.compared
    lut += features.tables
    return Cost(
        lut_estimate=lut,
        latency_ns_estimate=delay,
        latency_cycles_estimate=delay / stage_ns,
        bit_operations=features.bit_operations,
    )


def count_features(network: Network) -> Features:
    """Count terms, bits and levels, layer by layer."""
    costs: list[LayerCost] = []
    ranges = value_ranges(network)
    used = used_elements(network, ranges)
    # levels, quantizers and comparisons of the deepest path to each tensor
    paths = [(0.0, 0, 0)]
    for number, (layer, taken) in enumerate(zip(network.layers, network.wiring, strict=True), 1):
        inputs = [ranges[source] for source in taken]
        cost = count_layer(layer, inputs, ranges[number], used[number])
        levels, quantizers, comparisons = max(paths[source] for source in taken)
        paths.append(
            (levels + cost.levels, quantizers + cost.quantizers, comparisons + cost.comparisons)
        )
        costs.append(cost)
    levels, quantizers, comparisons = paths[-1]
    return Features(
        linear=tuple(cost.linear for cost in costs if cost.linear is not None),
        rounded=sum((cost.rounded for cost in costs), 0.0),
        compared=sum((cost.compared for cost in costs), 0.0),
        tables=sum((cost.tables for cost in costs), 0.0),
        levels=levels,
        quantizers=quantizers,
        comparisons=comparisons,
        bit_operations=sum((cost.bit_operations for cost in costs), 0.0),
    )

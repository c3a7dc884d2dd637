"""How well the fast cost estimate ranks networks that are then synthesized.

Run from the project's folder: ``python benchmarks/cost.py [networks]``. Fully connected and small
convolutional networks, and encoders with their score behind them, of different width, depth, bits
and sparsity, get random weights and go through alkaid and yosys. Half of them fit the constants of
``l1distill.firmware.cost``, the other half are what the rank correlations are of; then the same
with the constants that are in the file. Takes some tens of minutes for 72 on two cores.
"""

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf
from recording import arguments, show
from rich.table import Table
from scipy.optimize import least_squares
from scipy.stats import spearmanr

from l1distill.firmware.cost import Constants, Features, count_features, estimate, weigh
from l1distill.firmware.devices import Device
from l1distill.firmware.functions.score_head import with_score
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Conv2D, Dense, Layer, MaxPool2D, Quantize, Reshape
from l1distill.firmware.network.network import Network, connect, evaluate
from l1distill.firmware.network.value_range import value_range_of
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl.verilog import TOP, trace_network, verilog_files, write_rtl
from l1distill.firmware.rtl.yosys import synthesize_verilog
from l1distill.firmware.settings import ScoreSettings

TARGET = 0.95
STAGE_NS = 3.5
DEVICE = "conf/firmware/device/vu9p.yaml"
SPEED_ROUNDS = 5
NETWORKS = 72


class Truth(NamedTuple):
    """What the tools made of a network."""

    lut: int
    cycles: int


def network(seed: int) -> Network:
    """A candidate as a search would propose it, whose outputs depend on its inputs."""
    rng = np.random.default_rng([seed, 17])
    propose = PROPOSALS[kind_of(seed)]
    while True:
        made = propose(rng)
        x = rng.uniform(-4, 4, (200, made.inputs))
        if (np.ptp(evaluate(made, x), axis=0) > 0).all():
            return made


def kind_of(seed: int) -> str:
    """Which kind of network belongs to a seed: all kinds in turn."""
    return list(PROPOSALS)[seed % len(PROPOSALS)]


class Choices(NamedTuple):
    """What all layers of a proposal share: bits and sparsity, at random."""

    rng: np.random.Generator
    weight: FixedPoint
    activation_bits: int
    sparsity: float

    @property
    def input_type(self) -> FixedPoint:
        """Of the network."""
        return FixedPoint(signed=True, integer=2, fraction=self.activation_bits - 3)

    def weights(self, *shape: int) -> NDArray[np.float64]:
        """A kernel."""
        kept = self.rng.random(shape) > self.sparsity
        return self.weight.quantize(self.rng.normal(0, 0.4, shape) * kept)

    def bias(self, width: int) -> NDArray[np.float64]:
        """A bias."""
        return self.weight.quantize(self.rng.normal(0, 0.3, width))

    def dense(self, name: str, before: int, width: int) -> Dense:
        """A fully connected layer."""
        kernel, bias = self.weights(before, width), self.bias(width)
        return Dense(name, kernel=kernel, bias=bias, kernel_type=self.weight, bias_type=self.weight)

    def relu(self, name: str) -> Quantize:
        """What follows a layer."""
        return Quantize(
            name, type=FixedPoint(signed=False, integer=2, fraction=self.activation_bits - 2)
        )

    def body(self, inputs: int, widths: Sequence[int]) -> list[Layer]:
        """Fully connected layers with a ReLU between two of them."""
        layers: list[Layer] = []
        for number, (before, width) in enumerate(pairwise([inputs, *widths])):
            relu = [self.relu(f"relu{number}")] if number else []
            layers += [*relu, self.dense(f"dense{number}", before, width)]
        return layers


def choices(rng: np.random.Generator) -> Choices:
    """Random bits and sparsity."""
    weight = FixedPoint(signed=True, integer=0, fraction=int(rng.integers(2, 9)) - 1)
    return Choices(rng, weight, int(rng.integers(4, 11)), rng.uniform(0, 0.9))


def dense(rng: np.random.Generator) -> Network:
    """A student: fully connected."""
    chosen, inputs = choices(rng), int(rng.integers(8, 58))
    widths = [*rng.integers(4, 33, rng.integers(1, 4)).tolist(), int(rng.integers(1, 5))]
    return connect(inputs, chosen.input_type, chosen.body(inputs, widths))


def convolutional(rng: np.random.Generator) -> Network:
    """One or two convolutions with pooling, then a fully connected layer or two."""
    chosen = choices(rng)
    image = (int(rng.integers(6, 11)), int(rng.integers(1, 4)), 1)
    inputs = math.prod(image)
    layers: list[Layer] = [Reshape("image", shape=image)]
    tensor = layers[0].value_range(value_range_of(chosen.input_type, inputs))
    for number in range(int(rng.integers(1, 3))):
        rows, columns, before = tensor.shape
        size, filters = (
            (min(3, rows), min(int(rng.integers(1, 4)), columns)),
            int(rng.integers(2, 6)),
        )
        sums = Conv2D(
            f"convolution{number}",
            kernel=chosen.weights(*size, before, filters),
            bias=chosen.bias(filters),
            kernel_type=chosen.weight,
            bias_type=chosen.weight,
            padding="same" if rng.random() < 0.5 else "valid",
        )
        relu = chosen.relu(f"relu_of_convolution{number}")
        tensor = relu.value_range(sums.value_range(tensor))
        pool = MaxPool2D(f"pool{number}", size=(min(int(rng.integers(1, 4)), tensor.shape[0]), 1))
        tensor = pool.value_range(tensor)
        layers += [sums, relu, pool]
    flat = tensor.low.size
    widths = [*rng.integers(4, 17, rng.integers(0, 2)).tolist(), int(rng.integers(1, 5))]
    layers += [Reshape("flat", shape=(flat,)), *chosen.body(flat, widths)]
    return connect(inputs, chosen.input_type, layers)


def squared(rng: np.random.Generator) -> Network:
    """The encoder of a VAE with its score behind it: squares, and the pieces of D_KL."""
    chosen, inputs = choices(rng), int(rng.integers(8, 58))
    latent = int(rng.integers(1, 5))
    body = chosen.body(inputs, [*rng.integers(4, 25, rng.integers(0, 3)).tolist(), 2 * latent])
    ends = Quantize(
        "latent", type=FixedPoint(signed=True, integer=2, fraction=chosen.activation_bits - 3)
    )
    encoder = connect(inputs, chosen.input_type, [*body, ends])
    kind = "kl" if rng.random() < 0.5 else "sum_mu2"
    pieces, bits = (int(number) for number in rng.integers([4, 6], [33, 17]))
    score = ScoreSettings(kind=kind, latent=latent, pieces=pieces, bits=bits)
    return with_score(encoder, score).network


PROPOSALS: dict[str, Callable[[np.random.Generator], Network]] = {
    "dense": dense,
    "convolutional": convolutional,
    "with squares": squared,
}


def synthesize(seed: int) -> Truth:
    """The same network through the tools of the synthesis stage."""
    with tempfile.TemporaryDirectory() as name:
        device = Device.model_validate(OmegaConf.to_container(OmegaConf.load(DEVICE)))
        figures = write_rtl(trace_network(network(seed)), device, STAGE_NS, Path(name))
        counts = synthesize_verilog(
            verilog_files(Path(name)), TOP, device.family, TimeLimit(900.0, "benchmark"), 4.0
        )
    return Truth(counts.lut, figures.latency_cycles)


def fitted(found: list[Features], truths: list[Truth]) -> Constants:
    """Constants that bring estimates nearest in proportion."""
    start = asdict(Constants())

    def with_values(values: np.ndarray) -> Constants:
        return Constants(**dict(zip(start, np.abs(values), strict=True)))

    def off(values: np.ndarray) -> np.ndarray:
        constants = with_values(values)
        costs = [weigh(one, STAGE_NS, constants) for one in found]
        lut = [np.log(c.lut_estimate / t.lut) for c, t in zip(costs, truths, strict=True)]
        cycles = [
            np.log(c.latency_cycles_estimate / t.cycles) for c, t in zip(costs, truths, strict=True)
        ]
        return np.array(lut + cycles)

    begin = np.array(list(start.values()))
    found_best = least_squares(off, begin, x_scale=np.maximum(begin, 0.05))
    return with_values(found_best.x)


class Judged(NamedTuple):
    """How estimates of some networks stand beside the tools."""

    lut_rank: float
    cycles_rank: float
    factor: float
    """By which LUTs are off, a standard deviation."""


def judge(found: Sequence[Features], truths: Sequence[Truth], constants: Constants) -> Judged:
    """Holds estimates against the tools."""
    costs = [weigh(one, STAGE_NS, constants) for one in found]
    lut = np.array([cost.lut_estimate for cost in costs])
    measured = np.array([truth.lut for truth in truths])
    late = [cost.latency_cycles_estimate for cost in costs]
    return Judged(
        spearmanr(lut, measured).statistic,
        spearmanr(late, [truth.cycles for truth in truths]).statistic,
        float(np.exp(np.std(np.log(lut / measured)))),
    )


def report(networks: list[Network], truths: list[Truth]) -> None:
    """Fits to one half, judges on the other, all together and each kind by itself."""
    number = len(networks)
    found = [count_features(one) for one in networks]
    half = number // 2
    constants = fitted(found[:half], truths[:half])
    print(f"fitted to {half} networks: {constants}")
    columns = ("constants", "networks", "number", "rank correlation LUT", "latency", "LUT off by")
    table = Table(*columns)
    halves = {"fitted to": range(half), "not fitted to": range(half, number)}
    for name, used in (("fitted", constants), ("in the file", Constants())):
        for which, seeds in halves.items():
            for kind in ("all", *PROPOSALS):
                chosen = [seed for seed in seeds if kind in ("all", kind_of(seed))]
                judged = judge([found[i] for i in chosen], [truths[i] for i in chosen], used)
                table.add_row(
                    name,
                    f"{which}, {kind}",
                    str(len(chosen)),
                    f"{judged.lut_rank:.3f}",
                    f"{judged.cycles_rank:.3f}",
                    f"a factor of {judged.factor:.2f}",
                )
    bits = spearmanr([one.bit_operations for one in found], [truth.lut for truth in truths])
    luts = [truth.lut for truth in truths]
    notes = [
        f"{number} networks of {min(luts)} to {max(luts)} LUT; target: a rank correlation of at "
        f"least {TARGET:g} with yosys",
        f"rank correlation of bit operations alone with LUT: {bits.statistic:.3f}",
    ]
    for kind in PROPOSALS:
        those = [one for seed, one in enumerate(networks) if kind_of(seed) == kind]
        notes.append(f"estimate, {kind}: {1e3 * seconds_each(those):.2f} ms a network")
    show("cost", table, notes)


def seconds_each(networks: list[Network]) -> float:
    """Processor time of an estimate [s]."""
    start = time.process_time()
    for _ in range(SPEED_ROUNDS):
        for one in networks:
            estimate(one, STAGE_NS)
    return (time.process_time() - start) / (SPEED_ROUNDS * len(networks))


def main() -> None:
    given = arguments()
    number = int(given[0]) if given else NETWORKS
    with ProcessPoolExecutor(2) as pool:
        truths = list(pool.map(synthesize, range(number)))
    report([network(seed) for seed in range(number)], truths)


if __name__ == "__main__":
    main()

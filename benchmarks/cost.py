"""How well the fast cost estimate ranks networks that are then synthesised.

Run from the project's folder: ``python benchmarks/cost.py [networks]``. Networks of different
width, depth, bits and sparsity get random weights, and go through alkaid and yosys. Half of them
fit the constants of ``l1distill.firmware.cost``, the other half are what the rank correlations are
of; then the same with the constants that are in the file. Takes about twenty CPU-minutes for 80.
"""

import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table
from scipy.optimize import least_squares
from scipy.stats import spearmanr

from l1distill.firmware.cost import Constants, Features, cost_of, estimate, features
from l1distill.firmware.devices import Device
from l1distill.firmware.fixed_point import FixedPoint
from l1distill.firmware.layers import Dense, Layer, Quantise
from l1distill.firmware.network import Network, connect, evaluate
from l1distill.firmware.rtl import TOP, trace_network, verilog_files, write_rtl
from l1distill.firmware.tools import Bounds
from l1distill.firmware.yosys import synthesise_verilog

TARGET = 0.95
STAGE_NS = 3.5
DEVICE = "conf/firmware/device/vu9p.yaml"
SPEED_ROUNDS = 20


class Truth(NamedTuple):
    """What the tools made of a network."""

    lut: int
    cycles: int
    seconds: float


def network(seed: int) -> Network:
    """A student as a search would propose it, whose outputs depend on its inputs."""
    rng = np.random.default_rng([seed, 17])
    while True:
        made = proposal(rng)
        x = rng.uniform(-4, 4, (200, made.inputs))
        if (np.ptp(evaluate(made, x), axis=0) > 0).all():
            return made


def proposal(rng: np.random.Generator) -> Network:
    """Random width, depth, bits, sparsity and weights."""
    inputs = int(rng.integers(8, 58))
    widths = [*rng.integers(4, 33, rng.integers(1, 4)).tolist(), int(rng.integers(1, 5))]
    weight_bits, activation_bits = int(rng.integers(2, 9)), int(rng.integers(4, 11))
    sparsity = rng.uniform(0, 0.9)
    weight = FixedPoint(True, 0, weight_bits - 1)
    layers: list[Layer] = []
    before = inputs
    for number, width in enumerate(widths):
        kernel = rng.normal(0, 0.4, (before, width)) * (rng.random((before, width)) > sparsity)
        bias = weight.quantise(rng.normal(0, 0.3, width))
        layers.append(Dense(f"dense{number}", weight.quantise(kernel), bias, weight, weight))
        if number < len(widths) - 1:
            kind = FixedPoint(False, 2, activation_bits - 2)
            layers.append(Quantise(f"relu{number}", kind))
        before = width
    return connect(inputs, FixedPoint(True, 2, activation_bits - 3), layers)


def synthesise(seed: int) -> Truth:
    """The same network through the tools of the synthesis stage."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        device = Device.model_validate(OmegaConf.to_container(OmegaConf.load(DEVICE)))
        figures = write_rtl(trace_network(network(seed)), device, STAGE_NS, Path(name))
        counts = synthesise_verilog(
            verilog_files(Path(name)), TOP, device.family, Bounds(900.0, "benchmark"), 4.0
        )
    return Truth(counts.lut, figures.latency_cycles, time.process_time() - start)


def fitted(found: list[Features], truths: list[Truth]) -> Constants:
    """Constants that bring estimates nearest in proportion."""
    start = Constants()

    def off(values: np.ndarray) -> np.ndarray:
        constants = Constants(*np.abs(values))
        costs = [cost_of(one, STAGE_NS, constants) for one in found]
        lut = [np.log(c.lut_estimate / t.lut) for c, t in zip(costs, truths, strict=True)]
        cycles = [
            np.log(c.latency_cycles_estimate / t.cycles) for c, t in zip(costs, truths, strict=True)
        ]
        return np.array(lut + cycles)

    return Constants(*np.abs(least_squares(off, np.array(start), x_scale=np.array(start)).x))


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 80
    networks = [network(seed) for seed in range(number)]
    found = [features(one) for one in networks]
    with ProcessPoolExecutor(2) as pool:
        truths = list(pool.map(synthesise, range(number)))
    half = number // 2
    constants = fitted(found[:half], truths[:half])
    print(f"fitted to {half} networks: {constants}")
    table = Table("constants", "networks", "rank correlation LUT", "latency", "LUT off by")
    for name, used in (("fitted", constants), ("in the file", Constants())):
        for which in (slice(0, half), slice(half, number)):
            costs = [cost_of(one, STAGE_NS, used) for one in found[which]]
            lut = np.array([cost.lut_estimate for cost in costs])
            cycles = [cost.latency_cycles_estimate for cost in costs]
            measured = np.array([truth.lut for truth in truths[which]])
            ranks = spearmanr(lut, measured).statistic
            late = spearmanr(cycles, [truth.cycles for truth in truths[which]]).statistic
            off = np.exp(np.std(np.log(lut / measured)))
            kind = "fitted to" if which.start == 0 else "not fitted to"
            table.add_row(name, kind, f"{ranks:.3f}", f"{late:.3f}", f"a factor of {off:.2f}")
    Console(width=110).print(table)
    bits = spearmanr([one.bit_operations for one in found], [truth.lut for truth in truths])
    print(f"rank correlation of bit operations alone with LUT: {bits.statistic:.3f}")
    luts = [truth.lut for truth in truths]
    print(f"{number} networks of {min(luts)} to {max(luts)} LUT")
    start = time.perf_counter()
    for _ in range(SPEED_ROUNDS):
        for one in networks:
            estimate(one, STAGE_NS)
    seconds = (time.perf_counter() - start) / (SPEED_ROUNDS * number)
    print(f"estimate: {1e3 * seconds:.2f} ms a network")
    print(f"wanted: a rank correlation of at least {TARGET:g} with yosys")


if __name__ == "__main__":
    main()

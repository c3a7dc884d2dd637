"""Figures of known networks against those on record for the installed versions of the tools.

A tool of another version has no record yet. Look at what it says of the networks, and where that is
right, write it down: ``python -m tests.firmware.test_golden``.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from l1distill.firmware.functions.score_head import with_score
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Conv2D, Dense, Layer, MaxPool2D, Quantize, Reshape
from l1distill.firmware.network.network import Network, connect
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl.verilog import TOP, trace_network, verilog_files, write_rtl
from l1distill.firmware.rtl.yosys import synthesize_verilog
from l1distill.firmware.settings import ScoreSettings
from tests.firmware.students import HARDWARE

GOLDEN = Path(__file__).parent / "golden"
BOUNDS = TimeLimit(300.0, "firmware.yosys_time_limit_s")
CUTOFF_NS = 3.5


class Tolerance(NamedTuple):
    """How far a figure may be from the one on record."""

    relative: float
    reason: str


TOLERANCES: Mapping[str, Tolerance] = {
    "lut": Tolerance(0.02, "technology mapping is a search; ties need not fall alike everywhere"),
    "ff": Tolerance(0.02, "flip-flops of equal value are merged after mapping"),
    "carry4": Tolerance(0.02, "follows the adders that are left after optimization"),
    "dsp": Tolerance(0.0, "a multiplier is in a DSP or it is not"),
    "bram_18k": Tolerance(0.0, "there are no memories"),
    "latency_cycles": Tolerance(0.0, "the pipeline is cut by rule"),
    "ii_cycles": Tolerance(0.0, "fully pipelined"),
    "register_bits": Tolerance(0.02, "which of equal adder trees is taken is decided by a search"),
    "lut_estimate": Tolerance(0.02, "follows the adder trees"),
    "critical_delay_ns_estimate": Tolerance(0.02, "follows the adder trees"),
}


def dense_network() -> Network:
    """Eight inputs, two layers, sparse weights of four bits."""
    rng = np.random.default_rng(1)
    fixed_type, grid = (
        FixedPoint(signed=True, integer=2, fraction=4),
        FixedPoint(signed=True, integer=0, fraction=3),
    )
    layers: list[Layer] = []
    for name, n_in, n_out in (("one", 8, 6), ("two", 6, 2)):
        kernel = rng.integers(-7, 8, (n_in, n_out)) / 8 * (rng.random((n_in, n_out)) < 0.7)
        layers.append(
            Dense(
                name,
                kernel=kernel,
                bias=rng.integers(-7, 8, n_out) / 8,
                kernel_type=grid,
                bias_type=grid,
            )
        )
        layers.append(Quantize(f"{name}_out", type=replace(fixed_type, signed=name == "two")))
    return connect(8, fixed_type, layers)


def convolution_network() -> Network:
    """An image of 6 x 4, three filters, the largest of each window."""
    rng = np.random.default_rng(2)
    fixed_type, grid = (
        FixedPoint(signed=True, integer=1, fraction=3),
        FixedPoint(signed=True, integer=0, fraction=2),
    )
    kernel, bias = rng.integers(-3, 4, (3, 2, 1, 3)) / 4, rng.integers(-3, 4, 3) / 4
    layers: list[Layer] = [
        Reshape("events", shape=(6, 4, 1)),
        Conv2D("filters", kernel=kernel, bias=bias, kernel_type=grid, bias_type=grid),
        Quantize("relu", type=FixedPoint(signed=False, integer=2, fraction=2)),
        MaxPool2D("pool", size=(2, 3)),
    ]
    return connect(24, fixed_type, layers)


def scored_network() -> Network:
    """An encoder of two means and two log-variances with its D_KL: squares and hinges."""
    plain = dense_network()
    kernel = np.random.default_rng(3).integers(-7, 8, (6, 4)) / 8
    grid = FixedPoint(signed=True, integer=0, fraction=3)
    ends = Dense("ends", kernel=kernel, bias=np.zeros(4), kernel_type=grid, bias_type=grid)
    encoder = connect(
        8,
        plain.input_type,
        [
            *plain.layers[:2],
            ends,
            Quantize("latent", type=FixedPoint(signed=True, integer=2, fraction=3)),
        ],
    )
    return with_score(encoder, ScoreSettings(kind="kl", pieces=6, bits=12)).network


NETWORKS: Mapping[str, Callable[[], Network]] = {
    "dense": dense_network,
    "convolution": convolution_network,
    "scored": scored_network,
}


def measured(name: str, folder: Path) -> dict[str, dict[str, float]]:
    """Returns the figures of a network, by the tool and version that they are from."""
    written = write_rtl(trace_network(NETWORKS[name]()), HARDWARE, CUTOFF_NS, folder)
    counted = synthesize_verilog(verilog_files(folder), TOP, HARDWARE.family, BOUNDS, 4.0)
    result = {f"alkaid-{written.version}": vars(written)}
    result[f"yosys-{counted.version}"] = vars(counted)
    return {
        tool: {figure: float(figures[figure]) for figure in TOLERANCES if figure in figures}
        for tool, figures in result.items()
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_figures_are_those_on_record(name: str, tmp_path: Path) -> None:
    result = measured(name, tmp_path)
    assert sum(len(figures) for figures in result.values()) == len(TOLERANCES)
    for tool, figures in result.items():
        path = GOLDEN / f"{tool}.json"
        assert path.is_file(), f"{tool} has no record; see the top of {Path(__file__).name}"
        record = json.loads(path.read_text())[name]
        for figure, value in figures.items():
            allowed = TOLERANCES[figure].relative * record[figure]
            assert abs(value - record[figure]) <= allowed, (
                f"{tool} says {figure} {value:g}, on record is {record[figure]:g} "
                f"(tolerance {TOLERANCES[figure].relative:g}: {TOLERANCES[figure].reason})"
            )


def test_records_are_of_the_installed_tools() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {
        f"alkaid-{version('alkaid')}.json",
        "yosys-0.70.json",
    }


def _write() -> None:
    records: dict[str, dict[str, dict[str, float]]] = {}
    for name in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            for tool, figures in measured(name, Path(folder)).items():
                records.setdefault(tool, {})[name] = figures
    for tool, record in records.items():
        text = json.dumps(record, indent=2, sort_keys=True)
        (GOLDEN / f"{tool}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()

"""Copies side by side: groups of items through the written Verilog, and faults put into it."""

from pathlib import Path

import numpy as np
import pytest

from l1distill.firmware.network.network import evaluate
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl.array import SOURCE, group_lengths, simulate_array, write_array
from l1distill.firmware.rtl.simulation import find_simulator
from l1distill.firmware.rtl.verilog import RtlReport, trace_network, write_rtl
from tests.firmware.emulators import small_network
from tests.firmware.networks import full_range
from tests.firmware.students import HARDWARE

COPIES = 3
ITEMS = 61
pytestmark = pytest.mark.needs_program("iverilog")


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, RtlReport]:
    rtl = write_rtl(trace_network(small_network()), HARDWARE, 1.5, tmp_path)
    (tmp_path / "sim").mkdir(exist_ok=True)
    write_array(rtl, COPIES, tmp_path)
    return tmp_path, rtl


def simulate(folder: Path, rtl: RtlReport) -> tuple[np.ndarray, np.ndarray]:
    network = small_network()
    x = full_range(network, ITEMS)
    simulator = find_simulator("iverilog")
    assert simulator is not None
    groups = group_lengths(ITEMS, COPIES, [17, 9, 1])
    given = network.to_port_values(x)
    results = simulate_array(
        folder, rtl, COPIES, given, groups, simulator, TimeLimit(60.0, "limit")
    )
    return results, evaluate(network, x)


def test_each_item_of_a_group_comes_out_of_its_lane_in_time(made: tuple[Path, RtlReport]) -> None:
    results, expected = simulate(*made)
    assert np.array_equal(results, expected)


@pytest.mark.parametrize(
    ("sound", "fault"),
    [
        ("model_inp[lane*", "model_inp[(LANES-1-lane)*"),  # lanes are swapped
        (".in_valid(in_valid[lane])", ".in_valid(in_valid[0])"),
        (
            "assign out_last = last[",
            "assign out_last = last[1+0*",
        ),  # comes early
        ("if (rst) last <= 0;", "if (0) last <= 0;"),  # reset drops nothing
    ],
)
def test_a_fault_of_the_array_is_found(
    made: tuple[Path, RtlReport], sound: str, fault: str
) -> None:
    folder, rtl = made
    text = (folder / SOURCE).read_text()
    assert sound in text
    (folder / SOURCE).write_text(text.replace(sound, fault))
    results, expected = simulate(folder, rtl)
    assert not np.array_equal(results, expected)


def test_groups_are_those_that_are_given_and_some_around_the_lanes() -> None:
    assert group_lengths(100, 10, [23, 7]) == [23, 7, 1, 9, 10, 11, 20, 19]
    assert group_lengths(5, 10, [23, 7]) == [5]
    assert group_lengths(30, 10) == [1, 9, 10, 10]

"""Comparison of each back end with the reference: emulators, C simulation, simulated Verilog."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from l1distill.firmware.emulator import cpp
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.files import CPP_FOLDER
from l1distill.firmware.hls.project import simulate_hls
from l1distill.firmware.network.network import Network
from l1distill.firmware.rtl.array import group_lengths, simulate_array
from l1distill.firmware.rtl.simulation import Simulator, simulate_rtl
from l1distill.firmware.rtl.verilog import RtlReport
from l1distill.firmware.settings import FirmwareSettings
from l1distill.firmware.verification.comparison import Comparison, compare, mismatching_events
from l1distill.firmware.verification.first_difference import (
    add_first_difference,
    first_in_emulator,
    first_in_hls,
    first_in_rtl,
)
from l1distill.firmware.verification.reference import VerificationEvents

Progress = Callable[[str], None]
"""Is told what is being done, one short line at a time."""


@dataclass(frozen=True)
class RtlSimulation:
    """The comparison of the simulated Verilog, and its simulator."""

    simulator: Simulator
    comparison: Comparison


@dataclass(frozen=True)
class ArraySimulation:
    """The comparison of the simulated array of copies."""

    copies: int
    groups: int
    """How many groups of items were sent through it."""
    simulator: Simulator
    comparison: Comparison


def compare_emulator(
    emulator: Emulator, network: Network, events: VerificationEvents, progress: Progress
) -> Comparison:
    """Compare the emulator of the Verilog with the reference."""
    results = emulator.predict(events.x)
    x = events.x[mismatching_events(events.y, results)]
    return add_first_difference(
        compare(events.y, results), lambda: first_in_emulator(network, x), progress
    )


def compare_cpp(
    sources: Path, events: VerificationEvents, settings: FirmwareSettings, progress: Progress
) -> Comparison:
    """Compile the emulator in C++ outside the folder of its sources, and compare it.

    Raises:
        ToolError: a program is missing, failed or took too long.
    """
    progress("building the emulator in C++")
    with tempfile.TemporaryDirectory(prefix="l1distill-emulator-") as name:
        folder = Path(name) / CPP_FOLDER
        shutil.copytree(sources, folder)
        cpp.compile_cpp_emulator(folder, settings.time_limit("hls"))
        return compare(events.y, cpp.predict(folder / cpp.LIBRARY, events.x))


def compare_hls(
    project: Path,
    network: Network,
    events: VerificationEvents,
    settings: FirmwareSettings,
    progress: Progress,
) -> Comparison:
    """Compile and run the C simulation of an HLS project, and compare it.

    Raises:
        ToolError: a program is missing, failed or took too long.
    """
    progress("compiling the hls4ml project's C simulation")
    time_limit = settings.time_limit("hls")
    results = simulate_hls(project, events.x, network, time_limit)
    x = events.x[mismatching_events(events.y, results)]
    return add_first_difference(
        compare(events.y, results),
        lambda: first_in_hls(project, network, x, time_limit),
        progress,
    )


def compare_rtl(
    folder: Path,
    rtl: RtlReport,
    network: Network,
    events: VerificationEvents,
    simulator: Simulator,
    settings: FirmwareSettings,
    progress: Progress,
) -> RtlSimulation:
    """Simulate the written Verilog, and compare it.

    Raises:
        ToolError: the simulator failed or took too long.
    """
    progress(f"simulating the Verilog with {simulator.name} {simulator.version}")
    time_limit = settings.time_limit("rtl_simulation")
    events = events.limit(settings.rtl_simulation_events)
    results = simulate_rtl(folder, rtl, network.to_port_values(events.x), simulator, time_limit)
    x = events.x[mismatching_events(events.y, results)]
    device, cutoff = settings.device, settings.latency_cutoff_ns
    comparison = add_first_difference(
        compare(events.y, results),
        lambda: first_in_rtl(network, x, device, cutoff, simulator, time_limit),
        progress,
    )
    return RtlSimulation(simulator=simulator, comparison=comparison)


def compare_array(
    folder: Path,
    rtl: RtlReport,
    network: Network,
    events: VerificationEvents,
    groups: Sequence[int],
    simulator: Simulator,
    settings: FirmwareSettings,
    progress: Progress,
) -> ArraySimulation:
    """Simulate the copies side by side on groups of items, and compare their results.

    Args:
        folder: of the Verilog.
        rtl: latency and ports of the design.
        network: that the firmware computes.
        events: the items.
        groups: lengths of the groups that the first items are of.
        simulator: of the Verilog.
        settings: of the firmware.
        progress: is told what is being done.

    Raises:
        ToolError: the simulator failed or took too long.
    """
    copies = settings.copies
    progress(f"simulating {copies} copies with {simulator.name} {simulator.version}")
    events = events.limit(settings.rtl_simulation_events)
    lengths = group_lengths(len(events.x), copies, groups)
    ports = network.to_port_values(events.x)
    time_limit = settings.time_limit("rtl_simulation")
    results = simulate_array(folder, rtl, copies, ports, lengths, simulator, time_limit)
    return ArraySimulation(
        copies=copies,
        groups=len(lengths),
        simulator=simulator,
        comparison=compare(events.y, results),
    )

"""Search for the first layer at which a back end differs from the exact network."""

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import L1DistillError
from l1distill.firmware.devices import Device
from l1distill.firmware.files import HLS_FOLDER
from l1distill.firmware.hls import project as hls
from l1distill.firmware.hls.nodes import hls_nodes
from l1distill.firmware.network.network import Network, evaluate, truncate
from l1distill.firmware.process import ProgramError, TimeLimit
from l1distill.firmware.rtl import simulation as rtlsim
from l1distill.firmware.rtl import verilog
from l1distill.firmware.verification.comparison import Comparison, compare

EVENTS = 64
"""Number of mismatching events that are followed through the layers."""

_TRACE = """\
#include "firmware/{project}.cpp"
#include "{project}_bridge.cpp"
#include <cstdio>

int main() {{
    double x[{inputs}], y[{outputs}];
    nnet::trace_enabled = true;
    nnet::trace_type_size = sizeof(double);
    nnet::trace_outputs = new std::map<std::string, void *>;
{buffers}
    while (std::fread(x, sizeof(double), {inputs}, stdin) == {inputs}) {{
        {project}_double(x, y);
{writes}
    }}
    return 0;
}}
"""

Run = Callable[[Network, NDArray[np.float64]], NDArray[np.float64]]
"""Makes the back end of a network and computes (n, inputs) events with it."""


def add_first_difference(
    comparison: Comparison, search: Callable[[], str], progress: Callable[[str], None]
) -> Comparison:
    """Search for the first differing layer, and add what was found to a comparison.

    A search that fails does not fail the synthesis, which has a mismatch to report: the sentence
    in the report says so, and names the tool and its error.

    Args:
        comparison: of a back end.
        search: returns the layer in words; not called where nothing differs.
        progress: is told of a failed search, with the path of the tool's log.

    Returns:
        The comparison with ``first_difference``.
    """
    if not comparison.mismatches:
        return comparison
    try:
        words = search()
    except L1DistillError as error:
        failed = "search for the first differing layer failed"
        progress(f"{failed}: {error}")
        # the report names no file of this machine
        words = f"{failed}: {error.reason if isinstance(error, ProgramError) else error}"
    return replace(comparison, first_difference=words)


def first_layer(network: Network, x: NDArray[np.float64], run: Run) -> str:
    """Make a back end for the first layers, one layer more each time, until it differs.

    Args:
        network: the network.
        x: (n, inputs) events on which the back end of the whole network differs.
        run: makes the back end of a network and computes events.

    Returns:
        In words, the layer at which the back end differs first.

    Raises:
        L1DistillError: the back end of some first layers could not be made or run.
    """
    for number, layer in enumerate(network.layers, 1):
        part = truncate(network, number)
        if compare(evaluate(part, x[:EVENTS]), run(part, x[:EVENTS])).mismatches:
            return f"first at layer {layer.name} ({type(layer).__name__})"
    return "at no layer, when made layer by layer"


def first_in_emulator(network: Network, x: NDArray[np.float64]) -> str:
    """Search for the first layer whose traced logic differs; see :func:`first_layer`."""
    return first_layer(network, x, lambda part, events: verilog.trace_network(part).predict(events))


def first_in_rtl(
    network: Network,
    x: NDArray[np.float64],
    device: Device,
    latency_cutoff_ns: float,
    simulator: rtlsim.Simulator,
    time_limit: TimeLimit,
) -> str:
    """Search for the first layer whose simulated Verilog differs; see :func:`first_layer`."""

    def run(part: Network, events: NDArray[np.float64]) -> NDArray[np.float64]:
        emulator = verilog.trace_network(part)
        with tempfile.TemporaryDirectory(prefix="l1distill-search-") as name:
            folder = Path(name)
            rtl = verilog.write_rtl(emulator, device, latency_cutoff_ns, folder)
            rtlsim.write_testbench(rtl, folder)
            ports = part.to_port_values(events)
            return rtlsim.simulate_rtl(folder, rtl, ports, simulator, time_limit)

    return first_layer(network, x, run)


def first_in_hls(
    folder: Path, network: Network, x: NDArray[np.float64], time_limit: TimeLimit
) -> str:
    """Search for the first layer that differs in an HLS project, by its own intermediate results.

    Args:
        folder: the project; it is not changed.
        network: the network that it should compute.
        x: (n, inputs) events on which it differs.
        time_limit: for the compilation and for the run.

    Returns:
        In words, the layer at which it differs first.

    Raises:
        ToolError: the project with its intermediate results could not be compiled or run.
    """
    events = x[:EVENTS]
    first, end = _layers_of_nodes(network)
    expected = {node: evaluate(truncate(network, end[node]), events) for node in first}
    with tempfile.TemporaryDirectory(prefix="l1distill-search-") as name:
        work = Path(name) / HLS_FOLDER
        shutil.copytree(folder, work)
        source = work / "firmware" / f"{hls.PROJECT}.cpp"
        sizes = {node: values.shape[1] for node, values in expected.items()}
        code, traced = _with_traces(source.read_text(), sizes)
        source.write_text(code)
        sizes = {node: sizes[node] for node in traced}
        (work / hls.SIMULATE).write_text(_program(network, sizes))
        results = hls.simulate_hls(work, events, network, time_limit, sum(sizes.values()))
    column = 0
    for node, size in sizes.items():
        values = results[:, column : column + size]
        column += size
        if compare(expected[node], values).mismatches:
            layers = network.layers[first[node] : end[node]]
            names = " and ".join(f"{layer.name} ({type(layer).__name__})" for layer in layers)
            return f"first at layer {names}"
    return "at no layer by itself"


def _layers_of_nodes(network: Network) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of the first layer of each HLS node, and of the layer behind its last.

    A node also rounds, where the layer behind it has no node of its own.
    """
    first = {
        node.name: int(number[1])
        for node in hls_nodes(network)
        if (number := re.match(r"layer(\d+)_", node.name))
    }
    starts = [*first.values(), len(network.layers)]
    return first, dict(zip(first, starts[1:], strict=True))


def _with_traces(source: str, sizes: dict[str, int]) -> tuple[str, list[str]]:
    """Add the output of each node's results to a project's code; return it and those nodes."""
    lines, traced = [], []
    for line in source.splitlines():
        lines.append(line)
        # a call of one of hls4ml's functions; of the tensors among its arguments it writes the last
        call = re.search(r"nnet::\w+<.*>\((.*)\); // (\w+)$", line)
        if call and call[2] in sizes:
            written = re.findall(r"layer\d+_out", call[1])[-1]
            lines.append(f'nnet::save_layer_output({written}, "{call[2]}", {sizes[call[2]]});')
            traced.append(call[2])
    return "\n".join(lines) + "\n", traced


def _program(network: Network, sizes: dict[str, int]) -> str:
    """Return the C simulation that writes the results of each node instead of the outputs."""
    buffers, writes = [], []
    for number, (name, size) in enumerate(sizes.items()):
        buffers.append(f"    static double t{number}[{size}];")
        buffers.append(f'    (*nnet::trace_outputs)["{name}"] = t{number};')
        writes.append(
            f"        if (std::fwrite(t{number}, sizeof(double), {size}, stdout) != {size}) "
            "return 1;"
        )
    return _TRACE.format(
        project=hls.PROJECT,
        inputs=network.inputs,
        outputs=network.outputs,
        buffers="\n".join(buffers),
        writes="\n".join(writes),
    )

"""Finds the first layer at which a back end leaves the exact network."""

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import L1DistillError
from l1distill.firmware.devices import Device
from l1distill.firmware.hls import project as hls
from l1distill.firmware.hls.nodes import hls_nodes
from l1distill.firmware.network.network import Network, evaluate, truncate
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl import simulation as rtlsim
from l1distill.firmware.rtl import verilog as rtl
from l1distill.firmware.verification.comparison import compare

EVENTS = 64
"""Events that disagree, of which the first this many are followed through the layers."""

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
"""Computes (n, inputs) events with a back end made anew for a network."""


def looked_for(find: Callable[[], str]) -> str:
    """Returns what a search found: one that fails must not hide that there is a disagreement."""
    try:
        return find()
    except L1DistillError as error:
        return f"the first layer could not be found: {error}"


def first_layer(network: Network, x: NDArray[np.float64], run: Run) -> str:
    """Makes the back end for ever more layers, until it disagrees.

    Args:
        network: the network.
        x: (n, inputs) events on which the back end of the whole network disagrees.
        run: makes the back end of a network and computes events.

    Returns:
        In words, the layer at which it disagrees first.
    """
    for number, layer in enumerate(network.layers, 1):
        part = truncate(network, number)
        try:
            computed = run(part, x[:EVENTS])
        except L1DistillError:  # as where all results are still constants
            continue
        if compare(evaluate(part, x[:EVENTS]), computed).mismatches:
            return f"first at layer {layer.name} ({type(layer).__name__})"
    return "at no layer, when made layer by layer"


def first_in_emulator(network: Network, x: NDArray[np.float64]) -> str:
    """Returns where the traced logic disagrees first; see :func:`first_layer`."""
    return first_layer(network, x, lambda part, events: rtl.trace_network(part).predict(events))


def first_in_rtl(
    network: Network,
    x: NDArray[np.float64],
    device: Device,
    latency_cutoff_ns: float,
    simulator: rtlsim.Simulator,
    bounds: TimeLimit,
) -> str:
    """Returns where the simulated Verilog disagrees first; see :func:`first_layer`."""

    def run(part: Network, events: NDArray[np.float64]) -> NDArray[np.float64]:
        with tempfile.TemporaryDirectory(prefix="l1distill-locate-") as name:
            folder = Path(name)
            figures = rtl.write_rtl(rtl.trace_network(part), device, latency_cutoff_ns, folder)
            rtlsim.write_testbench(figures, folder)
            ports = part.to_port_values(events)
            return rtlsim.simulate_rtl(folder, figures, ports, simulator, bounds)

    return first_layer(network, x, run)


def first_in_hls(folder: Path, network: Network, x: NDArray[np.float64], bounds: TimeLimit) -> str:
    """Follows events through the very HLS project, layer by layer.

    Args:
        folder: the project; it is not changed.
        network: the network that it should compute.
        x: (n, inputs) events on which it disagrees.
        bounds: limit for compilation and run.

    Returns:
        In words, the layer at which it disagrees first.
    """
    events = x[:EVENTS]
    nodes = [node.name for node in hls_nodes(network)]
    numbers = {name: int(found[1]) for name in nodes if (found := re.match(r"layer(\d+)_", name))}
    starts = [*numbers.values(), len(network.layers)]
    # a node also rounds, where the layer behind it has none of its own
    ends = dict(zip(numbers, starts[1:], strict=True))
    expected = {name: evaluate(truncate(network, end), events) for name, end in ends.items()}
    with tempfile.TemporaryDirectory(prefix="l1distill-locate-") as name:
        work = Path(name) / "hls"
        shutil.copytree(folder, work)
        source = work / "firmware" / f"{hls.PROJECT}.cpp"
        lines, seen = _with_traces(source.read_text(), {n: v.shape[1] for n, v in expected.items()})
        source.write_text(lines)
        sizes = {node: expected[node].shape[1] for node in seen}
        (work / hls.SIMULATE).write_text(_program(network, sizes))
        values = hls.simulate_hls(work, events, network, bounds, sum(sizes.values()))
    start = 0
    for node, size in sizes.items():
        found_ = values[:, start : start + size]
        start += size
        if compare(expected[node], found_).mismatches:
            layers = network.layers[numbers[node] : ends[node]]
            names = " and ".join(f"{layer.name} ({type(layer).__name__})" for layer in layers)
            return f"first at layer {names}"
    return "at no layer by itself"


def _with_traces(source: str, sizes: dict[str, int]) -> tuple[str, list[str]]:
    """Returns the project's code, telling what each layer gives, and which layers it has."""
    lines, seen = [], []
    for line in source.splitlines():
        lines.append(line)
        # a call of one of hls4ml's functions; of the tensors among its arguments it writes the last
        call = re.search(r"nnet::\w+<.*>\((.*)\); // (\w+)$", line)
        if call and call[2] in sizes:
            written = re.findall(r"layer\d+_out", call[1])[-1]
            lines.append(f'nnet::save_layer_output({written}, "{call[2]}", {sizes[call[2]]});')
            seen.append(call[2])
    return "\n".join(lines) + "\n", seen


def _program(network: Network, sizes: dict[str, int]) -> str:
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

"""The HLS project through hls4ml, and its C simulation with the machine's own compiler."""

import os
import re
import shutil
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.core.errors import ToolError
from l1distill.firmware.devices import Device
from l1distill.firmware.hls.nodes import hls_nodes
from l1distill.firmware.network.network import Network
from l1distill.firmware.process import Job, TimeLimit

PROJECT = "l1distill"
SIMULATE = "simulate.cpp"
"""The file of a project with its C simulation as a program."""
COMPILERS = ("g++", "clang++", "c++")
Backend = Literal["Vitis", "Vivado"]

_SIMULATE = """\
// The C simulation as one program: events come from standard input and results go to standard
// output, raw doubles both. Compile it in this folder:
//   g++ -std=c++17 -O1 -w -I. -Ifirmware/ap_types -DWEIGHTS_DIR='"firmware/weights"' simulate.cpp
#include "firmware/{project}.cpp"
#include "{project}_bridge.cpp"
#include <cstdio>

int main() {{
    double x[{inputs}], y[{outputs}];
    while (std::fread(x, sizeof(double), {inputs}, stdin) == {inputs}) {{
        {project}_double(x, y);
        if (std::fwrite(y, sizeof(double), {outputs}, stdout) != {outputs}) return 1;
    }}
    return 0;
}}
"""


def hls4ml_version() -> str:
    """Returns the version of hls4ml."""
    return version("hls4ml")


def find_compiler() -> str:
    """Returns the C++ compiler: ``$CXX``, or the first of :data:`COMPILERS` on the PATH.

    Raises:
        ToolError: there is none.
    """
    wanted = os.environ.get("CXX")
    for name in (wanted,) if wanted else COMPILERS:
        found = shutil.which(name)
        if found:
            return found
    missing = f"CXX={wanted} is not" if wanted else f"none of {', '.join(COMPILERS)} is"
    raise ToolError(f"C++ compiler: {missing} on the PATH; install one, or name it in CXX")


def write_hls_project(
    network: Network, device: Device, folder: Path, backend: Backend = "Vitis"
) -> None:
    """Writes the hls4ml project: sources only, no path, time or random name in it.

    hls4ml gets its own layers with every type spelled out, not a Keras model: its readers drop
    trailing quantizers and turn types without fraction bits into integers that neither round nor
    saturate, and its batch normalization divides by a square root.

    Args:
        network: the quantized network.
        device: part and clock.
        folder: where to write; made if it is not there.
        backend: ``Vitis`` for Vitis HLS, ``Vivado`` for Vivado HLS up to 2020.1.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import hls4ml
        from hls4ml.model.graph import ModelGraph

        config = hls4ml.utils.config.create_config(
            output_dir=str(folder),
            project_name=PROJECT,
            backend=backend,
            part=device.part,
            clock_period=round(device.clock_period_ns, 6),
            io_type="io_parallel",
        )
        nodes = hls_nodes(network)
        config["HLSConfig"] = {
            "Model": {
                "Precision": {"default": network.input_type.bare.hls},
                "ReuseFactor": 1,
                "Strategy": "Latency",
            },
            "LayerName": {
                node.name: {"Precision": {use: kind.hls for use, kind in node.types.items()}}
                for node in nodes
            },
        }
        layers = [
            {"name": node.name, "class_name": node.kind, "data_format": "channels_last"}
            | dict(node.attributes)
            for node in nodes
        ]
        ModelGraph.from_layer_list(config, layers).write()
    _make_portable(folder)
    (folder / SIMULATE).write_text(
        _SIMULATE.format(project=PROJECT, inputs=network.inputs, outputs=network.outputs)
    )


def _make_portable(folder: Path) -> None:
    """Removes from a written project what names this machine or this moment."""
    config = folder / "hls4ml_config.yml"
    lines = config.read_text().splitlines(keepends=True)
    personal = ("OutputDir:", "Stamp:")
    config.write_text("".join(line for line in lines if not line.startswith(personal)))
    build = folder / "build_lib.sh"
    build.write_text(re.sub(r"^LIB_STAMP=.*$", "LIB_STAMP=csim", build.read_text(), flags=re.M))


def simulate_hls(
    folder: Path, x: ArrayLike, network: Network, bounds: TimeLimit, results: int | None = None
) -> NDArray[np.float64]:
    """Compiles the project's C simulation outside ``folder`` and runs it.

    Args:
        folder: a project that :func:`write_hls_project` wrote; it is not changed.
        x: (n, inputs) inputs of the network.
        network: for the input ports and the number of outputs.
        bounds: limit for compilation and for the run.
        results: how many numbers the program gives for an event; the network's outputs if None.

    Returns:
        (n, results) numbers.

    Raises:
        ToolError: no compiler, a compilation or a simulation that failed or took too long.
    """
    compiler = find_compiler()
    sources = folder.resolve()
    events = np.ascontiguousarray(network.to_port_values(x))
    with tempfile.TemporaryDirectory(prefix="l1distill-hls-") as name:
        work = Path(name)
        command = [
            compiler,
            # most of the time goes into reading the headers; -O1 simulates fast enough
            *("-O1", "-std=c++17", "-w", f"-I{sources}/firmware/ap_types", f"-I{sources}"),
            f'-DWEIGHTS_DIR="{sources}/firmware/weights"',
            *(str(sources / SIMULATE), "-o", "simulate"),
        ]
        with Job("C++ compiler", command, work, bounds) as job:
            job.wait()
        events.tofile(work / "x.bin")
        each = network.outputs if results is None else results
        command = ["sh", "-c", "exec ./simulate < x.bin > y.bin"]
        with Job("C simulation", command, work, bounds) as job:
            job.wait()
            result = np.fromfile(work / "y.bin", dtype=np.float64)
            if result.size != len(events) * each:
                raise job.failure(f"{result.size} numbers came out for {len(events)} events")
    return result.reshape(len(events), each) + 0.0

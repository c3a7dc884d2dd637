"""The HLS project through hls4ml, and its C simulation with the C++ compiler of this machine."""

import re
import tempfile
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.firmware.compiler import find_compiler
from l1distill.firmware.devices import Device
from l1distill.firmware.hls.custom_layers import register_custom_layers, write_headers
from l1distill.firmware.hls.nodes import hls_nodes
from l1distill.firmware.network.network import Network
from l1distill.firmware.process import Job, TimeLimit, run

PROJECT = "l1distill"
SIMULATE = "simulate.cpp"
"""The file of a project that holds its C simulation as a program."""
_FLAGS = ("-O1", "-std=c++17", "-w")
"""Most of the time goes into reading the headers; -O1 simulates fast enough."""
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


def write_hls_project(
    network: Network, device: Device, folder: Path, backend: Backend = "Vitis"
) -> None:
    """Write the hls4ml project: sources only, without any path, time or random name.

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

        nodes = hls_nodes(network)
        classes = {node.class_name for node in nodes}
        register_custom_layers(classes, backend)
        config = hls4ml.utils.config.create_config(
            output_dir=str(folder),
            project_name=PROJECT,
            backend=backend,
            part=device.part,
            clock_period=round(device.clock_period_ns, 6),
            io_type="io_parallel",
        )
        config["HLSConfig"] = {
            "Model": {
                "Precision": {"default": network.input_type.bare.hls},
                "ReuseFactor": 1,
                "Strategy": "Latency",
            },
            "LayerName": {
                node.name: {"Precision": {use: fixed.hls for use, fixed in node.types.items()}}
                for node in nodes
            },
        }
        layers = [
            {"name": node.name, "class_name": node.class_name, "data_format": "channels_last"}
            | dict(node.attributes)
            for node in nodes
        ]
        ModelGraph.from_layer_list(config, layers).write()
    write_headers(classes, folder)
    _make_portable(folder)
    (folder / SIMULATE).write_text(
        _SIMULATE.format(project=PROJECT, inputs=network.inputs, outputs=network.outputs)
    )


def _make_portable(folder: Path) -> None:
    """Remove paths and times from a written project."""
    config = folder / "hls4ml_config.yml"
    lines = config.read_text().splitlines(keepends=True)
    personal = ("OutputDir:", "Stamp:")
    config.write_text("".join(line for line in lines if not line.startswith(personal)))
    build = folder / "build_lib.sh"
    build.write_text(re.sub(r"^LIB_STAMP=.*$", "LIB_STAMP=csim", build.read_text(), flags=re.M))


def simulate_hls(
    folder: Path, x: ArrayLike, network: Network, time_limit: TimeLimit, results: int | None = None
) -> NDArray[np.float64]:
    """Compile the C simulation of a project outside its folder and run it.

    Args:
        folder: a project that :func:`write_hls_project` wrote; it is not changed.
        x: (n, inputs) inputs of the network.
        network: gives the input type and the number of outputs.
        time_limit: for the compilation and for the run.
        results: numbers that the program gives for each event; the network's outputs if None.

    Returns:
        (n, results) numbers.

    Raises:
        ToolError: there is no compiler; compilation or simulation failed or took too long.
    """
    compiler = find_compiler()
    sources = folder.resolve()
    events = np.ascontiguousarray(network.to_port_values(x))
    with tempfile.TemporaryDirectory(prefix="l1distill-hls-") as name:
        work = Path(name)
        (work / "weights").symlink_to(sources / "firmware" / "weights")  # where hls4ml looks
        include = [f"-I{sources}/firmware/ap_types", f"-I{sources}"]
        command = [compiler, *_FLAGS, *include, str(sources / SIMULATE), "-o", "simulate"]
        run("C++ compiler", command, work, time_limit)
        events.tofile(work / "x.bin")
        each = network.outputs if results is None else results
        command = ["sh", "-c", "exec ./simulate < x.bin > y.bin"]
        with Job("C simulation", command, work, time_limit) as job:
            job.wait()
            result = np.fromfile(work / "y.bin", dtype=np.float64)
            if result.size != len(events) * each:
                raise job.failure(f"{result.size} numbers came out for {len(events)} events")
    return result.reshape(len(events), each) + 0.0

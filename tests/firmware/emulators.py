"""Emulators in C++ and bundles that hold them, built as their users build them."""

import hashlib
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.bundle.archive import pack_bundle
from l1distill.firmware.compiler import find_compiler
from l1distill.firmware.emulator.cpp import LIBRARY, write_cpp_emulator
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.files import BUNDLE, CPP_FOLDER, INPUT_CODES, MANIFEST, OUTPUT_CODES
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Dense, Quantize
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl import simulation as rtlsim
from l1distill.firmware.rtl.vectors import format_codes
from l1distill.firmware.rtl.verilog import trace_network, write_rtl
from tests.firmware.networks import full_range
from tests.firmware.students import HARDWARE

TIME_LIMIT = TimeLimit(300.0, "firmware.limit")
STRICT = "-O1 -Wall -Wextra -Wshadow -pedantic -Werror"


def library(emulator: Emulator, folder: Path) -> Path:
    """Builds the shared library, without a single warning."""
    write_cpp_emulator(emulator, folder)
    command = ["make", "--silent", LIBRARY, f"CXX={find_compiler()}", f"CXXFLAGS={STRICT}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / LIBRARY


def simulated(network: Network, x: NDArray[np.float64], folder: Path) -> NDArray[np.float64]:
    """Returns what Icarus makes of a network's Verilog for (n, inputs) events."""
    rtl = write_rtl(trace_network(network), HARDWARE, 3.0, folder)
    rtlsim.write_testbench(rtl, folder)
    simulator = rtlsim.find_simulator("iverilog")
    assert simulator is not None
    return rtlsim.simulate_rtl(folder, rtl, network.to_port_values(x), simulator, TIME_LIMIT)


def small_network() -> Network:
    """Four inputs, two outputs, rounding and saturation; needs no TensorFlow."""
    kind = FixedPoint(signed=True, integer=2, fraction=3)
    rng = np.random.default_rng(3)
    kernel = rng.integers(-7, 8, (4, 2)) / 4
    grid = FixedPoint(signed=True, integer=1, fraction=2)
    layer = Dense(
        "sums", kernel=kernel, bias=np.array([0.25, -0.5]), kernel_type=grid, bias_type=grid
    )
    return Network(
        inputs=4,
        input_type=kind,
        layers=(layer, Quantize("out", type=kind)),
        output_type=kind,
        input_exponents=(0, 1, -2, 0),
    )


def write_small_bundle(folder: Path, events: int = 50) -> Path:
    """Writes the part of a bundle that is replayed."""
    network = small_network()
    x = full_range(network, events)
    inputs = format_codes(network.to_port_values(x), network.input_type, "in")
    outputs = format_codes(evaluate(network, x), network.output_type, "out")
    contents = {INPUT_CODES: inputs.encode(), OUTPUT_CODES: outputs.encode()}
    write_cpp_emulator(trace_network(network), folder / "made")
    for path in (folder / "made").iterdir():
        contents[f"{CPP_FOLDER}/{path.name}"] = path.read_bytes()
    (folder / BUNDLE).write_bytes(pack_bundle(contents))
    return folder / BUNDLE


def unpack(path: Path, folder: Path) -> None:
    """Unpack a bundle as a user does; tarfile of Python before 3.11.4 knows no safe way."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-xf", path, "-C", folder], check=True)


def repack(path: Path, change: Callable[[Path], object], work: Path, honest: bool = False) -> None:
    """Changes what a bundle holds; ``honest`` writes a manifest that knows of it."""
    unpack(path, work)
    change(work)
    files = {
        file.relative_to(work).as_posix(): file
        for file in sorted(work.rglob("*"))
        if file.is_file()
    }
    if honest:
        del files[MANIFEST]
        lines = [
            f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {name}\n"
            for name, file in files.items()
        ]
        files[MANIFEST] = work / MANIFEST
        files[MANIFEST].write_text("".join(lines))
    with tarfile.open(path, "w:gz") as archive:
        for name, file in files.items():
            archive.add(file, name)

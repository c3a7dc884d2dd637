"""The library for CMSSW, loaded as CMSSW loads it."""

import subprocess
from dataclasses import replace
from pathlib import Path

import hls4ml
import numpy as np
import pytest

from l1distill.firmware.compiler import find_compiler
from l1distill.firmware.emulator.cmssw import LIBRARY, input_type, write_cmssw_library
from l1distill.firmware.emulator.cpp import write_cpp_emulator
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Dense, Quantize
from l1distill.firmware.network.network import connect, evaluate
from l1distill.firmware.rtl.vectors import format_codes
from l1distill.firmware.rtl.verilog import trace_network
from tests.firmware.emulators import small_network
from tests.firmware.networks import full_range

AP_TYPES = Path(hls4ml.__file__).parent / "templates/vivado/ap_types"
CALLER = Path(__file__).with_name("cmssw_caller.cpp")


def written(emulator: Emulator, folder: Path) -> Path:
    write_cpp_emulator(emulator, folder / "emulator")
    write_cmssw_library(emulator, folder / "cmssw")
    return folder / "cmssw"


def make(folder: Path, *arguments: str) -> str:
    fixed = [f"AP_TYPES={AP_TYPES}", f"CXX={find_compiler()}", "CXXFLAGS=-O0"]
    command = ["make", "--silent", "-C", str(folder), *fixed, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_library_gives_the_vectors_outputs(tmp_path: Path) -> None:
    network = small_network()  # two results, and inputs with ranges of their own
    folder, x = written(trace_network(network), tmp_path), full_range(network, 60)
    (tmp_path / "vectors").mkdir()
    inputs = format_codes(network.to_port_values(x), network.input_type, "in")
    outputs = format_codes(evaluate(network, x), network.output_type, "out")
    (tmp_path / "vectors/input.txt").write_text(inputs)
    (tmp_path / "vectors/output.txt").write_text(outputs)
    assert make(folder, "check").strip() == "60 events through the interface of CMSSW, 0 differ"
    assert (folder / LIBRARY).is_file()
    lines = outputs.splitlines()
    first, last = lines[7].split()
    lines[7] = f"{first} {int(last) + 1}"
    (tmp_path / "vectors/output.txt").write_text("\n".join(lines) + "\n")
    vectors = sorted((tmp_path / "vectors").glob("*.txt"))
    command = [folder / "replay", folder / "l1distill_model", *vectors]
    assert subprocess.run(command, check=False).returncode == 1


def test_a_program_of_cmssw_gets_the_emulators_numbers(tmp_path: Path) -> None:
    kind = FixedPoint(signed=True, integer=5, fraction=4)
    kernel = np.random.default_rng(4).integers(-7, 8, (6, 1)) / 4
    grid = FixedPoint(signed=True, integer=1, fraction=2)
    out = FixedPoint(signed=False, integer=4, fraction=3)
    layer = Dense("sum", kernel=kernel, bias=np.array([0.25]), kernel_type=grid, bias_type=grid)
    network = connect(6, kind, [layer, Quantize("score", type=out)])
    emulator = trace_network(network)
    folder = written(emulator, tmp_path)
    types = {
        "NAME": "GTADModel_v9",
        "INPUT_T": "ap_fixed<18,13>",
        "RESULT_T": "ap_fixed<12,6,AP_RND_CONV,AP_SAT>",
        "SCORE_T": "ap_ufixed<18,14>",
    }
    make(folder, *(f"{name}={value}" for name, value in types.items()))
    include = ["-std=c++17", "-O0", "-w", f"-I{AP_TYPES}", "-DINPUTS=6"]
    caller = tmp_path / "caller"
    build = [find_compiler(), *include, str(CALLER), "-o", str(caller), "-ldl"]
    subprocess.run(build, check=True)
    # off the grid, and some out of the range: rounded and clipped as ports do
    x = np.concatenate([full_range(network, 60) * 0.11, full_range(network, 6) * 1.25])
    text = "\n".join(" ".join(map(str, event)) for event in x.tolist())
    done = subprocess.run(
        [str(caller), str(folder / "GTADModel_v9.so")],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, refusal = done.stdout.splitlines()
    assert "prepare_input takes a pointer to ap_fixed<18,13>, double, float or int" in refusal
    first, second, plain = np.loadtxt(lines).T
    held = np.floor(x * 2.0**5) / 2.0**5  # what an ap_fixed<18,13> keeps
    expected = emulator.predict(held)[:, 0]
    assert len(np.unique(expected)) > 10
    assert np.array_equal(first, expected)
    assert np.array_equal(second, expected)
    assert np.array_equal(plain, emulator.predict(x)[:, 0])


@pytest.mark.parametrize(
    ("exponents", "expected"),
    [
        ((), "ap_fixed<6,3,AP_RND_CONV,AP_SAT>"),
        ((0, 1, -2, 0), "ap_fixed<9,4,AP_RND_CONV,AP_SAT>"),
        ((3, 3, 3, 3), "ap_fixed<6,6,AP_RND_CONV,AP_SAT>"),
    ],
)
def test_the_type_of_the_inputs_holds_each_of_them(
    exponents: tuple[int, ...], expected: str
) -> None:
    emulator = trace_network(replace(small_network(), input_exponents=exponents))
    assert input_type(emulator) == expected

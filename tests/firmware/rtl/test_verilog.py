import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Dense, Quantize
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl import simulation as rtlsim
from l1distill.firmware.rtl import vectors
from l1distill.firmware.rtl.verilog import (
    TOP,
    Port,
    RtlReport,
    trace_network,
    write_rtl,
)
from tests.firmware.conftest import Student
from tests.firmware.students import HARDWARE

Students = Callable[[str], Student]


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def differing(one: Path, two: Path) -> set[str]:
    """Names the files that are not equal in two folders.

    pytest, comparing the contents, would look for the difference of megabytes for minutes.
    """
    here, there = files(one), files(two)
    return {name for name in {*here, *there} if here.get(name) != there.get(name)}


def test_an_emulator_survives_its_file_without_tensorflow(
    student: Students, tmp_path: Path
) -> None:
    made = student("two_layers")
    emulator = trace_network(made.network)
    emulator.save(tmp_path / "emulator.json")
    np.savez(tmp_path / "x.npz", x=made.x, y=emulator.predict(made.x))
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from l1distill.firmware.emulator.emulator import Emulator\n"
        "data = np.load('x.npz'); emulator = Emulator.load(Path('emulator.json'))\n"
        "assert np.array_equal(emulator.predict(data['x']), data['y'])\n"
        "assert not {'tensorflow', 'qkeras', 'hls4ml'} & set(sys.modules)\n"
        "emulator.save(Path('again.json'))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "emulator.json").read_bytes()


def test_the_emulator_quantizes_its_inputs_as_the_network_does(student: Students) -> None:
    made = student("default")
    x = np.random.default_rng(1).uniform(-12, 12, (500, 12)).astype(np.float32)
    expected = made.model.predict(x, verbose=0)
    assert np.array_equal(trace_network(made.network).predict(x), expected)


def test_the_emulator_refuses_what_is_no_event(student: Students) -> None:
    emulator = trace_network(student("default").network)
    assert emulator.predict(np.empty((0, 12))).shape == (0, 1)
    for wrong in (np.zeros(12), np.zeros((3, 11))):
        with pytest.raises(ValueError, match="shape"):
            emulator.predict(wrong)
    with pytest.raises(ValueError, match="NaN"):
        emulator.predict(np.full((1, 12), np.nan))


@pytest.mark.parametrize("text", ["", "{", "{}", '{"format": "l1distill-emulator-2"}', "[1]"])
def test_a_broken_emulator_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "emulator.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"emulator\.json"):
        Emulator.load(path)
    with pytest.raises(DataError, match="no such file"):
        Emulator.load(tmp_path / "nothing.json")


def test_the_same_network_gives_the_same_files(student: Students, tmp_path: Path) -> None:
    made = student("two_layers")
    for name in ("one", "two"):
        emulator = trace_network(made.network)
        write_rtl(emulator, HARDWARE, 3.0, tmp_path / name)
        emulator.save(tmp_path / name / "emulator.json")
    assert differing(tmp_path / "one", tmp_path / "two") == set()
    for name, content in files(tmp_path / "one").items():
        assert str(tmp_path).encode() not in content, name
        assert sys.prefix.encode() not in content, name


def test_a_shorter_cutoff_makes_a_deeper_pipeline(student: Students, tmp_path: Path) -> None:
    emulator = trace_network(student("two_layers").network)
    reports: list[RtlReport] = [
        write_rtl(emulator, HARDWARE, cutoff, tmp_path / str(cutoff)) for cutoff in (1.5, 3.0, 50.0)
    ]
    cycles = [report.latency_cycles for report in reports]
    assert cycles[0] > cycles[1] > cycles[2] == 1
    registers = [report.register_bits for report in reports]
    assert registers[0] > registers[1] > registers[2]
    delays = [report.critical_delay_ns_estimate for report in reports]
    assert 0 < delays[0] < delays[1] < delays[2]
    assert {report.ii_cycles for report in reports} == {1}


def test_stages_are_cut_shorter_until_they_fit_the_clock(student: Students, tmp_path: Path) -> None:
    emulator = trace_network(student("two_layers").network)
    device = HARDWARE.model_copy(update={"clock_mhz": 240.0})
    longest_ns = 0.9 * device.clock_period_ns

    def written(name: str, cutoff_ns: float, clock_mhz: float, *, fit_clock: bool) -> RtlReport:
        at_clock = device.model_copy(update={"clock_mhz": clock_mhz})
        return write_rtl(emulator, at_clock, cutoff_ns, tmp_path / name, fit_clock=fit_clock)

    as_asked = written("asked", 3.5, 240.0, fit_clock=False)
    assert as_asked.latency_cutoff_ns == 3.5
    assert as_asked.critical_delay_ns_estimate > longest_ns
    fitted = written("fitted", 3.5, 240.0, fit_clock=True)
    assert fitted.critical_delay_ns_estimate <= longest_ns
    longer = written("longer", fitted.latency_cutoff_ns + 0.25, 240.0, fit_clock=False)
    assert longer.critical_delay_ns_estimate > longest_ns
    assert written("slow", 3.5, 100.0, fit_clock=True).latency_cutoff_ns == 3.5
    shortest = written("fast", 3.5, 1000.0, fit_clock=True)  # nothing fits: as short as can be
    assert shortest.critical_delay_ns_estimate < fitted.critical_delay_ns_estimate


def test_the_files_name_part_clock_and_ports(student: Students, tmp_path: Path) -> None:
    rtl = write_rtl(trace_network(student("default").network), HARDWARE, 5.0, tmp_path)
    assert HARDWARE.part in (tmp_path / "build_vivado_prj.tcl").read_text()
    assert "set clock_period 5.0" in (tmp_path / "src" / f"{TOP}.xdc").read_text()
    ports = json.loads((tmp_path / "ports.json").read_text())
    assert ports["latency_cycles"] == rtl.latency_cycles
    assert ports["ports"]["input"]["bits"] == 12 * 8 == rtl.input_port.bits
    element = {"signed": True, "integer": 3, "fraction": 4}
    assert ports["ports"]["input"]["elements_from_lowest_bit"] == [element] * 12


@pytest.mark.needs_program("iverilog")
def test_inputs_that_pruning_cut_off_have_no_bits(tmp_path: Path) -> None:
    kind = FixedPoint(signed=True, integer=2, fraction=3)
    kernel = np.zeros((5, 1))
    kernel[[1, 3], 0] = 0.5, -0.375
    layer = Dense("score", kernel=kernel, bias=np.zeros(1), kernel_type=kind, bias_type=kind)
    network = Network(
        inputs=5, input_type=kind, layers=(layer, Quantize("out", type=kind)), output_type=kind
    )
    emulator = trace_network(network)
    rtl = write_rtl(emulator, HARDWARE, 5.0, tmp_path)
    assert [element.bits for element in rtl.input_port.elements] == [0, 6, 0, 6, 0]
    x = kind.quantize(np.random.default_rng(0).uniform(-4, 4, (100, 5)))
    expected = evaluate(network, x)
    assert np.array_equal(emulator.predict(x), expected)
    rtlsim.write_testbench(rtl, tmp_path)
    simulator = rtlsim.find_simulator("iverilog")
    assert simulator is not None
    time_limit = TimeLimit(60.0, "limit")
    assert np.array_equal(rtlsim.simulate_rtl(tmp_path, rtl, x, simulator, time_limit), expected)


def test_bus_words_unpack_to_what_was_packed() -> None:
    port = Port(
        "bus",
        (
            FixedPoint(signed=True, integer=1, fraction=2),
            FixedPoint(signed=False, integer=3, fraction=0),
            FixedPoint(signed=True, integer=4, fraction=-1),
        ),
    )
    values = np.array([[-2.0, 7.0, 14.0], [1.75, 0.0, -16.0], [-0.25, 1.0, -2.0]])
    words = vectors.pack(port, values)
    assert words == ["3f8", "407", "79f"]  # by hand: 0111 111 1000 and so on, last element first
    assert np.array_equal(vectors.unpack(port, words), values)
    assert np.isnan(vectors.unpack(port, ["3xz"])).all()

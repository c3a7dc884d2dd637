from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from l1distill.firmware.hls import project as hls
from l1distill.firmware.hls.nodes import hls_nodes
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Add, Dense, Layer
from l1distill.firmware.network.network import connect, evaluate, truncate
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl import simulation as rtlsim
from l1distill.firmware.rtl import verilog
from l1distill.firmware.settings import FirmwareSettings
from l1distill.firmware.verification import first_difference as search
from l1distill.firmware.verification.back_ends import compare_rtl
from l1distill.firmware.verification.comparison import compare, mismatching_events
from l1distill.firmware.verification.reference import Reference, VerificationEvents
from tests.firmware.conftest import Student
from tests.firmware.networks import NETWORKS, full_range
from tests.firmware.students import HARDWARE

Students = Callable[[str], Student]
TIME_LIMIT = TimeLimit(300.0, "firmware.limit")


def bend(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Makes the tracing of one layer wrong by one bit of one weight."""
    from l1distill.firmware.rtl import tracing

    right = tracing.trace_layer

    def wrong(layer: Layer, *values: object) -> object:
        if isinstance(layer, Dense) and layer.name == name:
            kernel = layer.kernel.copy()
            kernel[0, 0] += layer.kernel_type.step
            layer = replace(layer, kernel=kernel)
        return right(layer, *values)

    monkeypatch.setattr(tracing, "trace_layer", wrong)


def test_a_fault_of_the_emulator_is_located(
    student: Students, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = student("two_layers")
    bend(monkeypatch, "dense_1")
    wrong = mismatching_events(made.y[:, None], verilog.trace_network(made.network).predict(made.x))
    assert wrong.size
    x = made.x[wrong].astype(np.float64)
    assert search.first_in_emulator(made.network, x) == "first at layer dense_1 (Dense)"


@pytest.mark.needs_program("iverilog")
def test_a_fault_of_the_verilog_is_located(
    student: Students, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = student("two_layers")
    bend(monkeypatch, "score")
    simulator = rtlsim.find_simulator("iverilog")
    assert simulator is not None
    wrong = mismatching_events(made.y[:, None], verilog.trace_network(made.network).predict(made.x))
    x = made.x[wrong].astype(np.float64)
    found = search.first_in_rtl(made.network, x, HARDWARE, 3.5, simulator, TIME_LIMIT)
    assert found == "first at layer score (Dense)"


def test_no_fault_is_at_no_layer(student: Students) -> None:
    made = student("linear")
    x = made.x[:20].astype(np.float64)
    assert search.first_in_emulator(made.network, x).startswith("at no layer")


def test_every_layer_of_an_hls_project_that_computes_is_followed(tmp_path: Path) -> None:
    network = from_qkeras(NETWORKS["dense"](4))
    hls.write_hls_project(network, HARDWARE, tmp_path)
    source = (tmp_path / "firmware" / f"{hls.PROJECT}.cpp").read_text()
    sizes = {node.name: 1 for node in hls_nodes(network) if node.class_name != "InputLayer"}
    lines, seen = search._with_traces(source, sizes)
    assert set(seen) == set(sizes)
    leaky = next(name for name in seen if name.startswith("layer4_"))
    assert f'nnet::save_layer_output(layer5_out, "{leaky}", 1);' in lines


def test_a_layer_without_logic_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layer gives the same numbers for every event; the fault is in the second."""
    kind = FixedPoint(signed=True, integer=3, fraction=2)
    types = {"kernel_type": kind, "bias_type": kind}
    zeros = Dense("zeros", kernel=np.zeros((2, 2)), bias=np.ones(2), **types)
    doubled = Dense("doubled", kernel=2 * np.eye(2), bias=np.zeros(2), **types)
    network = connect(2, kind, [zeros, doubled, Add("sum")], sources=((0,), (0,), (1, 2)))
    assert verilog.trace_network(truncate(network, 1)).is_constant
    bend(monkeypatch, "doubled")
    x = full_range(network, 40)
    x = x[mismatching_events(evaluate(network, x), verilog.trace_network(network).predict(x))]
    assert len(x) > 10
    assert search.first_in_emulator(network, x) == "first at layer doubled (Dense)"


def simulator_that_fails_from_its_second_run_on(folder: Path) -> rtlsim.Simulator:
    """Plays a simulator whose first results are all 0 and which then ends with an error."""
    program = folder / "verilator"
    program.write_text(
        "#!/bin/sh\n"
        f"echo run >> {folder}/runs\n"
        f"[ $(wc -l < {folder}/runs) -gt 1 ] && echo '%Error: no license' && exit 7\n"
        "mkdir obj\n"
        "printf '#!/bin/sh\\nsed s/./0/g input.hex > output.hex\\n' > obj/Vtestbench\n"
        "chmod +x obj/Vtestbench\n"
    )
    program.chmod(0o755)
    return rtlsim.Simulator(name="verilator", program=str(program), version="5.0")


def test_a_simulator_that_fails_in_the_search_is_reported(
    student: Students, tmp_path: Path
) -> None:
    made = student("linear")
    x, y = made.x[:50].astype(np.float64), made.y[:50, None]
    events = VerificationEvents(x=x, y=y, reference=Reference(name="QKeras"), adversarial=0)
    emulator = verilog.trace_network(made.network)
    rtl = verilog.write_rtl(emulator, HARDWARE, 3.5, tmp_path / "rtl")
    rtlsim.write_testbench(rtl, tmp_path / "rtl")
    simulator = simulator_that_fails_from_its_second_run_on(tmp_path)
    lines: list[str] = []
    settings = FirmwareSettings(device=HARDWARE)
    result = compare_rtl(
        tmp_path / "rtl", rtl, made.network, events, simulator, settings, lines.append
    )
    assert result.comparison.mismatches == np.count_nonzero(y) > 0
    failed = (
        "search for the first differing layer failed: "
        "verilator: ended with status 7: %Error: no license"
    )
    assert result.comparison.first_difference == failed
    assert (tmp_path / "runs").read_text() == "run\nrun\n"  # one failure ends the search
    log = Path(lines[-1].removeprefix(f"{failed} (log: ").removesuffix(")"))
    assert log.read_text() == "%Error: no license\n"
    log.unlink()


def test_nothing_is_searched_where_nothing_differs() -> None:
    def search_again() -> str:
        raise AssertionError

    same = compare([1.0], [1.0])
    assert search.add_first_difference(same, search_again, print) is same
    differs = compare([1.0], [2.0])
    found = search.add_first_difference(differs, lambda: "first at layer one (Dense)", print)
    assert found == replace(differs, first_difference="first at layer one (Dense)")


def test_a_weight_changed_in_the_hls_project_is_located(tmp_path: Path) -> None:
    network = from_qkeras(NETWORKS["image"](4))
    hls.write_hls_project(network, HARDWARE, tmp_path)
    x = full_range(network, 200)
    # the second convolution, with its zeros around, pooling before and behind it
    weights = sorted(
        (tmp_path / "firmware" / "weights").glob("w*.txt"), key=lambda p: int(p.stem[1:])
    )[1]
    values = [float(value) for value in weights.read_text().split(",")]
    values[4] += 2.0**-3
    weights.write_text(", ".join(f"{value:.10f}" for value in values))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    layers = [layer.name for layer in network.layers if type(layer).__name__ == "Conv2D"]
    found = search.first_in_hls(tmp_path, network, x, TIME_LIMIT)
    assert found == f"first at layer {layers[1]} (Conv2D)"
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import ToolError
from l1distill.firmware.hls import project as hls
from l1distill.firmware.hls.nodes import hls_nodes
from l1distill.firmware.network.layers import Dense, Layer
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl import simulation as rtlsim
from l1distill.firmware.rtl import verilog as rtl
from l1distill.firmware.verification import first_difference as locate
from l1distill.firmware.verification.comparison import differing
from tests.firmware.conftest import Student
from tests.firmware.networks import NETWORKS, full_range
from tests.firmware.students import HARDWARE

Students = Callable[[str], Student]
BOUNDS = TimeLimit(300.0, "firmware.limit")


def bend(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Makes the tracing of one layer wrong by one bit of one weight."""
    from l1distill.firmware.rtl import tracing

    right = tracing._trace_layer

    def wrong(layer: Layer, values: object) -> object:
        if isinstance(layer, Dense) and layer.name == name:
            kernel = layer.kernel.copy()
            kernel[0, 0] += layer.kernel_type.step
            layer = replace(layer, kernel=kernel)
        return right(layer, values)

    monkeypatch.setattr(tracing, "_trace_layer", wrong)


def test_a_fault_of_the_emulator_is_located(
    student: Students, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = student("two_layers")
    bend(monkeypatch, "dense_1")
    wrong = differing(made.y[:, None], rtl.trace_network(made.network).predict(made.x))
    assert wrong.size
    x = made.x[wrong].astype(np.float64)
    assert locate.first_in_emulator(made.network, x) == "first at layer dense_1 (Dense)"


@pytest.mark.needs_program("iverilog")
def test_a_fault_of_the_verilog_is_located(
    student: Students, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = student("two_layers")
    bend(monkeypatch, "score")
    simulator = rtlsim.find_simulator("iverilog")
    assert simulator is not None
    wrong = differing(made.y[:, None], rtl.trace_network(made.network).predict(made.x))
    x = made.x[wrong].astype(np.float64)
    found = locate.first_in_rtl(made.network, x, HARDWARE, 3.5, simulator, BOUNDS)
    assert found == "first at layer score (Dense)"


def test_no_fault_is_at_no_layer(student: Students) -> None:
    made = student("linear")
    x = made.x[:20].astype(np.float64)
    assert locate.first_in_emulator(made.network, x).startswith("at no layer")


def test_every_layer_of_an_hls_project_that_computes_is_followed(tmp_path: Path) -> None:
    network = from_qkeras(NETWORKS["dense"](4))
    hls.write_hls_project(network, HARDWARE, tmp_path)
    source = (tmp_path / "firmware" / f"{hls.PROJECT}.cpp").read_text()
    sizes = {node.name: 1 for node in hls_nodes(network) if node.kind != "InputLayer"}
    lines, seen = locate._with_traces(source, sizes)
    assert set(seen) == set(sizes)
    leaky = next(name for name in seen if name.startswith("layer4_"))
    assert f'nnet::save_layer_output(layer5_out, "{leaky}", 1);' in lines


def test_a_search_that_fails_does_not_hide_the_disagreement() -> None:
    def fails() -> str:
        raise ToolError("C++ compiler: stopped")

    said = "the first layer could not be found: C++ compiler: stopped"
    assert locate.looked_for(fails) == said


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
    found = locate.first_in_hls(tmp_path, network, x, BOUNDS)
    assert found == f"first at layer {layers[1]} (Conv2D)"
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

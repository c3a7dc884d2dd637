import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import ToolError
from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.layers import Select
from l1distill.firmware.network.network import evaluate
from l1distill.firmware.process import TimeLimit
from tests.firmware.conftest import Student
from tests.firmware.emulators import small_network
from tests.firmware.networks import full_range
from tests.firmware.rtl.test_verilog import differing, files
from tests.firmware.students import HARDWARE

Students = Callable[[str], Student]
TIME_LIMIT = TimeLimit(300.0, "firmware.hls_time_limit_s")


def test_the_project_is_the_same_every_time_and_names_no_place(
    student: Students, tmp_path: Path
) -> None:
    made = student("default")
    for name in ("one", "two"):
        hls.write_hls_project(made.network, HARDWARE, tmp_path / name)
    assert differing(tmp_path / "one", tmp_path / "two") == set()
    for name, content in files(tmp_path / "one").items():
        assert str(tmp_path).encode() not in content, name
        assert sys.prefix.encode() not in content, name
    script = (tmp_path / "one" / "project.tcl").read_text()
    assert HARDWARE.part in script
    assert "set clock_period 5.0" in script


def test_a_project_does_not_depend_on_those_before_it(tmp_path: Path) -> None:
    """hls4ml keeps what is registered with its back ends as long as the process lives."""
    network = small_network()
    select = Select("swap", indices=(1, 0), shape=(2,))
    swapped = replace(network, layers=(*network.layers, select))
    for name, each in (("one", network), ("other", swapped), ("two", network)):
        hls.write_hls_project(each, HARDWARE, tmp_path / name)
    assert differing(tmp_path / "one", tmp_path / "two") == set()
    header = "firmware/nnet_utils/nnet_select.h"
    assert header in files(tmp_path / "other")
    assert header not in files(tmp_path / "two")
    x = full_range(swapped, 50)
    results = hls.simulate_hls(tmp_path / "other", x, swapped, TIME_LIMIT)
    np.testing.assert_array_equal(results, evaluate(network, x)[:, ::-1])


def test_the_vivado_project_is_written_too(student: Students, tmp_path: Path) -> None:
    made = student("default")
    hls.write_hls_project(made.network, HARDWARE, tmp_path, "Vivado")
    assert 'set backend "vivado"' in (tmp_path / "project.tcl").read_text()


def test_a_missing_compiler_is_one_line(
    student: Students, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = student("default")
    hls.write_hls_project(made.network, HARDWARE, tmp_path)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"none of g\+\+, clang\+\+, c\+\+ is on the PATH"):
        hls.simulate_hls(tmp_path, made.x, made.network, TIME_LIMIT)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolError, match="CXX=no-such-compiler is not on the PATH"):
        hls.simulate_hls(tmp_path, made.x, made.network, TIME_LIMIT)


def test_code_that_does_not_compile_is_one_line_with_a_log(
    student: Students, tmp_path: Path
) -> None:
    made = student("default")
    hls.write_hls_project(made.network, HARDWARE, tmp_path)
    (tmp_path / "simulate.cpp").write_text("int main( {\n")
    with pytest.raises(ToolError, match="C\\+\\+ compiler: ended with status 1") as error:
        hls.simulate_hls(tmp_path, made.x, made.network, TIME_LIMIT)
    line = str(error.value)
    assert "\n" not in line
    log = Path(line.split("(log: ")[1].rstrip(")"))
    assert "simulate.cpp" in log.read_text()
    log.unlink()


def test_a_simulation_that_dies_is_no_result(student: Students, tmp_path: Path) -> None:
    made = student("default")
    hls.write_hls_project(made.network, HARDWARE, tmp_path)
    for name in ("firmware/l1distill.cpp", "l1distill_bridge.cpp"):
        (tmp_path / name).write_text("")  # quick to compile
    simulate = tmp_path / "simulate.cpp"
    simulate.write_text("#include <cstdlib>\nint main() { std::abort(); }\n")

    def fails(words: str, time_limit: TimeLimit = TIME_LIMIT) -> None:
        with pytest.raises(ToolError, match=words) as error:
            hls.simulate_hls(tmp_path, made.x, made.network, time_limit)
        Path(str(error.value).split("(log: ")[1].rstrip(")")).unlink()

    fails("C simulation: was killed by signal 6")
    simulate.write_text('#include <cstdio>\nint main() { std::printf("12345678"); }\n')
    fails("C simulation: 1 numbers came out for 2000 events")
    simulate.write_text("int main() { for (volatile int i = 0;; i = i + 1) {} }\n")
    quick = replace(TIME_LIMIT, seconds=3.0)
    fails(r"stopped after 3 s; raise firmware\.hls_time_limit_s", quick)

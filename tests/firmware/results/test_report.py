import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from l1distill.core.errors import DataError
from l1distill.firmware.hls.vendor import VendorReport
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.results.collect import ToolResults, collect_report
from l1distill.firmware.results.report import REQUIRED, SynthesisReport
from l1distill.firmware.rtl.port import Port
from l1distill.firmware.rtl.simulation import Simulator
from l1distill.firmware.rtl.yosys import YosysCounts
from l1distill.firmware.verification.back_ends import ArraySimulation, RtlSimulation
from l1distill.firmware.verification.comparison import Comparison
from l1distill.firmware.verification.reference import Reference
from l1distill.registry.gates import Gate
from l1distill.registry.judgment import judge
from tests.firmware.reports import rtl_report
from tests.firmware.students import HARDWARE

PORT = Port("port", (FixedPoint(signed=True, integer=3, fraction=4),))
RESULTS = ToolResults(
    rtl=rtl_report(
        PORT,
        latency_cycles=6,
        register_bits=4692,
        lut_estimate=9438.8,
        critical_delay_ns_estimate=4.73,
        version="0.8.2",
    ),
    counts=YosysCounts(
        lut=11822, ff=4596, dsp=684, bram_18k=43, carry4=2578, lut_beside_carry=12, version="0.70"
    ),
    rtl_comparison=Comparison(2048, 2, 0.5, 7),
    cpp_comparison=Comparison(2048, 0, 0.0, None),
    hls_comparison=Comparison(2048, 1, 0.5, 9),
    reference=Reference("QKeras"),
)


def test_the_report_has_every_entry_with_its_tool() -> None:
    report = collect_report(RESULTS, HARDWARE)
    metrics = report.to_metrics()
    assert set(REQUIRED) <= set(metrics)
    assert metrics["firmware/latency_cycles"] == 6
    assert metrics["firmware/latency_ns"] == 30.0
    assert metrics["firmware/lut_percent"] == pytest.approx(1.0, abs=1e-3)
    assert metrics["firmware/dsp_percent"] == pytest.approx(10.0)
    assert metrics["firmware/bram_percent"] == pytest.approx(100 * 43 / 4320)
    assert metrics["firmware/mismatches"] == 3
    assert report["firmware/latency_ns"].note.startswith("timing closure not demonstrated")
    assert report["firmware/latency_ns"].kind == "estimate"
    assert "not packed" in report["firmware/lut"].note
    assert "not packed" in report["firmware/lut_percent"].note
    tools = {name: report[name].tool for name in ("firmware/lut", "firmware/lut_estimate_alkaid")}
    assert tools == {"firmware/lut": "yosys", "firmware/lut_estimate_alkaid": "alkaid"}
    with pytest.raises(KeyError):
        report["firmware/nothing"]


def test_the_slack_gate_knows_of_the_setup_uncertainty() -> None:
    """4.73 ns fit into the 5 ns of 200 MHz, but not into what the constraints leave of them."""
    gates = {"timing": Gate(metric="firmware/slack_ns_estimate", min=0)}
    metrics = collect_report(RESULTS, HARDWARE).to_metrics()
    assert metrics["firmware/setup_uncertainty_ns"] == 0.5
    assert metrics["firmware/slack_ns_estimate"] == pytest.approx(-0.23)
    assert not judge(gates, metrics)[0].passed
    shorter = replace(RESULTS.rtl, critical_delay_ns_estimate=4.5)
    metrics = collect_report(replace(RESULTS, rtl=shorter), HARDWARE).to_metrics()
    assert judge(gates, metrics)[0].passed


def test_tools_that_ran_add_their_own_entries() -> None:
    simulation = RtlSimulation(Simulator("verilator", "verilator", "5.006"), Comparison(9, 4, 1, 0))
    vendor = VendorReport("vitis-run", "2024.1", 8, 1, 3.6, 20000, 9000, 12, 3, "estimate")
    reference = Reference("the network", Comparison(9, 5, 0.5, 2))
    more = replace(RESULTS, rtl_simulation=simulation, vendor=vendor, reference=reference)
    report = collect_report(more, HARDWARE)
    assert report["firmware/mismatches_verilator"].value == 4
    assert report["firmware/mismatches"].value == 7
    assert "against the network" in report["firmware/mismatches_rtl"].note
    assert report["firmware/differences_qkeras"].value == 5
    assert report["firmware/lut_vendor"].value == 20000
    assert report["firmware/lut_vendor"].tool == "vitis-run"
    assert report["firmware/lut_vendor"].version == "2024.1"
    assert report["firmware/lut"].tool == "yosys"


def test_a_fault_of_the_copies_counts() -> None:
    simulator = Simulator("verilator", "verilator", "5.006")
    array = ArraySimulation(
        copies=10, groups=7, simulator=simulator, comparison=Comparison(9, 2, 1, 0)
    )
    report = collect_report(replace(RESULTS, copies=10, array=array), HARDWARE)
    assert report["firmware/mismatches_copies"].value == 2
    assert report["firmware/mismatches"].value == 3 + 2
    assert report["firmware/lut_copies_estimate"].kind == "estimate"
    assert "firmware/copies" not in collect_report(RESULTS, HARDWARE).to_metrics()


def test_where_a_back_end_differs_first_is_in_its_note() -> None:
    failed = "search for the first differing layer failed: verilator: ended with status 1"
    comparison = replace(RESULTS.rtl_comparison, first_difference=failed)
    report = collect_report(replace(RESULTS, rtl_comparison=comparison), HARDWARE)
    assert report["firmware/mismatches_rtl"].note.endswith(f"exactly; {failed}")
    assert report["firmware/mismatches_hls"].note.endswith("exactly")


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    report = collect_report(RESULTS, HARDWARE)
    report.save(tmp_path / "synthesis.json")
    assert SynthesisReport.load(tmp_path / "synthesis.json") == report


def broken(change: str) -> str:
    content: dict[str, Any] = collect_report(RESULTS, HARDWARE).model_dump(mode="json")
    entries = content["entries"]
    if change == "missing":
        content["entries"] = [e for e in entries if e["name"] != "firmware/lut"]
    elif change == "twice":
        entries.append(entries[0])
    elif change == "no device":
        del content["device"]
    elif change == "added":
        entries[0]["trust"] = "me"
    else:
        entries[0]["value"] = {"NaN": float("nan"), "infinite": float("inf"), "null": None}[change]
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "EOF"),
        (broken("twice")[:-300], "EOF|Invalid JSON"),
        (broken("missing"), "entries are missing: firmware/lut"),
        (broken("twice"), "twice: firmware/latency_cycles"),
        (broken("no device"), "device"),
        (broken("added"), "trust"),
        (broken("NaN"), "value"),
        (broken("infinite"), "value"),
        (broken("null"), "value"),
    ],
)
def test_a_report_that_is_not_whole_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "synthesis.json"
    path.write_text(text)
    with pytest.raises(DataError, match=words) as error:
        SynthesisReport.load(path)
    assert "synthesis.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_report_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        SynthesisReport.load(tmp_path / "synthesis.json")

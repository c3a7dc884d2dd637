import json
import re
from dataclasses import replace
from importlib.metadata import version

import pytest

from l1distill.firmware.files import METADATA, MODEL_CARD, REPORT
from l1distill.firmware.results.collect import collect_report
from l1distill.firmware.results.documents import (
    ANY_NETWORK,
    ModelDescription,
    render_documents,
)
from l1distill.firmware.results.quantity import Quantity
from l1distill.firmware.results.report import SynthesisReport
from l1distill.firmware.rtl.port import Port
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.verification.comparison import Comparison
from tests.firmware.emulators import small_network
from tests.firmware.results.test_report import RESULTS
from tests.firmware.students import HARDWARE

DESCRIPTION = ModelDescription(
    title="Toy",
    summary="Four numbers in.",
    inputs=(
        Quantity(name="pT of jet 1", unit="GeV", scale=16.0),
        *(Quantity(name=f"angle {i}") for i in range(3)),
    ),
    outputs=(Quantity("a | b"), Quantity("c")),
    limitations=("It is a toy.",),
)


def report(mismatches: int) -> SynthesisReport:
    same = Comparison(2048, 0, 0.0, None)
    cpp = Comparison(2048, mismatches, 0.5, 7)
    results = replace(RESULTS, rtl_comparison=same, hls_comparison=same, cpp_comparison=cpp)
    return collect_report(results, HARDWARE)


def texts(description: ModelDescription = DESCRIPTION, mismatches: int = 0) -> dict[str, str]:
    network = small_network()
    buses = {
        "top_input": Port("model_inp", (network.input_type,) * 4),
        "top_output": Port("model_out", (network.output_type,) * 2),
    }
    rtl = replace(RESULTS.rtl, **buses)
    emulator = trace_network(network)
    return render_documents(description, network, emulator, rtl, report(mismatches))


def rendered(description: ModelDescription = DESCRIPTION, mismatches: int = 0) -> tuple[str, str]:
    found = texts(description, mismatches)
    return found[MODEL_CARD], found[REPORT]


def test_the_card_says_what_the_numbers_are() -> None:
    card, _ = rendered()
    assert card.startswith("# Toy\n\nFour numbers in.\n")
    # the type has three fraction bits; input 2 stands for a quarter of that, input 1 for twice it
    kind = "fixed<6,3,RND_CONV,SAT>"
    assert f"| 0 | pT of jet 1 | jet 1 | 6 | [5:0] | {kind} | 2 GeV |" in card
    assert f"| 1 | angle 0 |  | 6 | [11:6] | {kind} | 0.25 |" in card
    assert f"| 2 | angle 1 |  | 6 | [17:12] | {kind} | 0.03125 |" in card
    assert f"| 0 | a \\| b | 6 | [5:0] | {kind} | 0.125 |" in card
    assert "`fixed<6,3,RND_CONV,SAT>`" in card
    assert "kernel 4 x 2 of fixed<4,2>" in card
    assert "- It is a toy." in card
    assert "Timing closure is not demonstrated" in card


def test_the_metadata_fixes_the_order_of_objects_and_features() -> None:
    metadata = json.loads(texts()[METADATA])
    assert metadata["objects"] == ["jet 1"]
    assert metadata["features"] == ["pT"]
    assert [entry["name"] for entry in metadata["inputs"]] == [
        quantity.name for quantity in DESCRIPTION.inputs
    ]
    first = metadata["inputs"][0]
    assert (first["slot"], first["feature"], first["unit"]) == ("jet 1", "pT", "GeV")
    assert [entry["lowest_bit"] for entry in metadata["inputs"]] == [0, 6, 12, 18]
    assert [entry["value_of_1"] for entry in metadata["inputs"]] == [2.0, 0.25, 0.03125, 0.125]
    assert metadata["cmssw"]["input_type"] == "ap_fixed<9,4,AP_RND_CONV,AP_SAT>"
    assert metadata["latency_cycles"] == 6


def test_the_verdict_is_that_of_the_report() -> None:
    card, _ = rendered()
    assert "No event differs" in card
    card, _ = rendered(mismatches=3)
    assert "No event differs" not in card
    assert "**3 events differ. This firmware does not compute what the model computes:**" in card
    tool = f"l1distill {version('l1distill')}"
    assert f"{tool}: 3 events differ (emulator in C++ against QKeras on 2048 events" in card


def test_the_report_has_each_entry_with_its_tool() -> None:
    _, text = rendered()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:1] == "|"][2:]
    rows_by_name = {row[0]: row for row in rows}
    for entry in report(0).entries:
        row = rows_by_name.pop(entry.name.removeprefix("firmware/"))
        value = float(row[1].replace(",", ""))
        assert value == pytest.approx(entry.value, rel=1e-3)
        assert row[2:6] == [entry.unit, entry.kind, entry.tool, entry.version]
        assert entry.note in ("", row[-1])
    assert not rows_by_name


def test_tables_are_tables() -> None:
    for text in rendered():
        tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.M)
        assert tables
        for table in tables:
            columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
            assert len(columns) == 1, table


def test_a_network_of_unknown_origin_has_a_card_too() -> None:
    card, _ = rendered(ANY_NETWORK)
    assert "| 3 | input 3 |  | 6 | [23:18] | fixed<6,3,RND_CONV,SAT> | 0.125 |" in card
    with pytest.raises(ValueError, match="longer"):
        rendered(replace(DESCRIPTION, inputs=DESCRIPTION.inputs[:2]))

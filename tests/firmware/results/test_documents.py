import re
from pathlib import Path

import pytest

from l1distill.firmware.results.collect import gather
from l1distill.firmware.results.documents import (
    ANY_NETWORK,
    CARD,
    REPORT,
    ModelDescription,
    Quantity,
    write_documents,
)
from l1distill.firmware.results.report import Figures
from l1distill.firmware.verification.comparison import Comparison
from tests.firmware.emulators import small_network
from tests.firmware.results.test_report import COUNTS, RESULTS
from tests.firmware.students import HARDWARE

SUBJECT = ModelDescription(
    title="Toy",
    summary="Four numbers in.",
    inputs=(Quantity("pT of jet 1", "GeV", 16.0), *(Quantity(f"angle {i}") for i in range(3))),
    outputs=(Quantity("a | b"), Quantity("c")),
    limitations=("It is a toy.",),
)


def figures(mismatches: int) -> Figures:
    same = Comparison(2048, 0, 0.0, None)
    cpp = Comparison(2048, mismatches, 0.5, 7)
    results = RESULTS._replace(rtl_comparison=same, hls_comparison=same, cpp_comparison=cpp)
    return gather(results, COUNTS, HARDWARE)


def written(
    folder: Path, subject: ModelDescription = SUBJECT, mismatches: int = 0
) -> tuple[str, str]:
    write_documents(subject, small_network(), RESULTS.rtl, figures(mismatches), folder)
    return (folder / CARD).read_text(), (folder / REPORT).read_text()


def test_the_card_says_what_the_numbers_are(tmp_path: Path) -> None:
    card, _ = written(tmp_path)
    assert card.startswith("# Toy\n\nFour numbers in.\n")
    # the type has three fraction bits; input 2 stands for a quarter of that, input 1 for twice it
    assert "| 0 | pT of jet 1 | 2 GeV |" in card
    assert "| 1 | angle 0 | 0.25 |" in card
    assert "| 2 | angle 1 | 0.03125 |" in card
    assert "| 0 | a \\| b | 0.125 |" in card
    assert "`fixed<6,3,RND_CONV,SAT>`" in card
    assert "kernel 4 x 2 of fixed<4,2>" in card
    assert "- It is a toy." in card
    assert "Timing closure is not demonstrated" in card


def test_the_verdict_is_that_of_the_figures(tmp_path: Path) -> None:
    card, _ = written(tmp_path)
    assert "No event differs" in card
    card, _ = written(tmp_path, mismatches=3)
    assert "No event differs" not in card
    assert "**3 events differ. This firmware does not compute what the model computes:**" in card
    assert "l1distill 0.1.0: 3 events differ (emulator in C++ against QKeras on 2048 events" in card


def test_the_report_has_each_figure_with_its_tool(tmp_path: Path) -> None:
    _, report = written(tmp_path)
    rows = [line.strip("| ").split(" | ") for line in report.splitlines() if line[:1] == "|"][2:]
    found = {row[0]: row for row in rows}
    for figure in figures(0).figures:
        row = found.pop(figure.name.removeprefix("firmware/"))
        value = float(row[1].replace(",", ""))
        assert value == pytest.approx(figure.value, rel=1e-3)
        assert row[2:6] == [figure.unit, figure.kind, figure.tool, figure.version]
        assert figure.note in ("", row[-1])
    assert not found


def test_tables_are_tables(tmp_path: Path) -> None:
    for text in written(tmp_path):
        tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.M)
        assert tables
        for table in tables:
            columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
            assert len(columns) == 1, table


def test_a_network_of_unknown_origin_has_a_card_too(tmp_path: Path) -> None:
    card, _ = written(tmp_path, ANY_NETWORK)
    assert "| 3 | input 3 | 0.125 |" in card
    with pytest.raises(ValueError, match="longer"):
        written(tmp_path, SUBJECT._replace(inputs=SUBJECT.inputs[:2]))

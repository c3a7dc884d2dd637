"""Published firmware, and which runs stand beside it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from l1distill.artifacts.runs import LoggedRun
from l1distill.firmware.devices import Device
from l1distill.firmware.results.report import (
    REQUIRED,
    ReportEntry,
    SynthesisReport,
    with_percentages,
)
from l1distill.tasks.anomaly import published_firmware as published
from l1distill.tasks.anomaly.firmware_tables import NOT_RUN, ROWS, Commands, Table, gather, tables
from l1distill.tasks.anomaly.published_firmware import Published
from l1distill.tasks.anomaly.study import Study
from tests.settings import ROOT, conf

PRINTED = {
    "III": """
        DNN AE QAT 8 bits | 2 | 5 | 1 | 0.5 | 130 | 5
        CNN AE QAT 4 bits | 8 | 47 | 5 | 6 | 1480 | 895
        DNN VAE PTQ 8 bits | 1 | 3 | 0.5 | 0.3 | 80 | 5
        CNN VAE PTQ 8 bits | 10 | 12 | 4 | 2 | 365 | 115""",
    "IV": "DNN VAE PTQ 8 bits | 3 | 9 | 3 | 0.4 | 205 | 5",
    "3": "QDistillNet | 97.7% | 25 | 1 | 1 (0.02%) | 2,379 (0.2%) | 441 (0.01%) | 6 (0.05%)",
}
"""The tables as they stand in arXiv:2108.03986 and in Bal et al. 2024."""
COMMANDS = Commands("l1distill quantize x", "l1distill synthesize y")


def _figures(row: Published, lut: float) -> SynthesisReport:
    device = Device.model_validate(conf(f"firmware/device/{row.device.lower().replace('-', '_')}"))
    counted = {"lut": lut, "latency_cycles": 13, "latency_ns": 65, "ii_cycles": 1, "dsp": 3}
    counted["slack_ns_estimate"] = -0.5 if row.network else 0.2
    figures = [
        ReportEntry(
            name=name,
            value=counted.get(name.removeprefix("firmware/"), 0.0),
            unit="",
            tool="alkaid" if "latency" in name else "yosys",
            version="9",
            kind="estimate" if name.endswith("_ns") else "measured",
        )
        for name in (*REQUIRED, "firmware/verified_events")
        if not name.endswith("_percent")
    ]
    return SynthesisReport(device=device, entries=with_percentages(figures, device))


def _study() -> Study:
    networks = {row.network for row in ROWS if row.network}
    return Study(
        {},
        {},
        {
            key: LoggedRun(run_id="", parameters={}, metrics={}, tags={"output_sha256": str(key)})
            for key in networks
        },
    )


def _run(row: Published, run_id: str, network: str = "", error: str = "") -> LoggedRun:
    parameters = {"firmware.device.name": row.device, "score.kind": "sum_mu2", **row.shape}
    tags = {"model_sha256": network or str(row.network), **({"error": error} if error else {})}
    metrics = {"cost/lut_estimate": 40741.4}
    return LoggedRun(run_id=run_id, parameters=parameters, metrics=metrics, tags=tags)


def _made(
    finished: list[LoggedRun], failed: list[LoggedRun], study: Study | None = None
) -> list[Table]:
    rows = {run.run_id: row for run in finished for row in ROWS if row.key == run.run_id}
    found = gather(
        study or _study(), finished, failed, lambda run: _figures(rows[run.run_id], 29287), COMMANDS
    )
    return tables(found)


@pytest.mark.parametrize(("number", "title"), list(enumerate(PRINTED)))
def test_published_figures_are_those_of_the_papers(number: int, title: str) -> None:
    table = _made([], [])[number]
    printed = [[c.strip() for c in line.split("|")] for line in PRINTED[title].strip().split("\n")]
    ours = [[row.model, *(cell.published for cell in row.cells[:-1])] for row in table.rows]
    assert ours == printed


def test_what_was_not_run_is_missing_and_says_how_to_make_it() -> None:
    bare = _study()._replace(quantized={})
    for study, command in ((bare, COMMANDS.quantize), (_study(), COMMANDS.synthesize)):
        three, four, distillnet, absolute = _made([], [], study)
        for table in (three, four, absolute):
            assert {cell.ours for row in table.rows for cell in row.cells} == {NOT_RUN}
        assert [note.split(": ")[-1] for note in three.notes] == 4 * [command]
        assert four.notes[0].endswith(f": {command}")
        (row,) = distillnet.rows
        assert [cell.ours for cell in row.cells] == ["untrained", *7 * [NOT_RUN]]
        assert COMMANDS.synthesize in distillnet.notes[0]


def test_ours_stand_in_their_row_with_their_tools() -> None:
    wanted = published.TABLE_III[2]
    three, four, _, absolute = _made([_run(wanted, wanted.key)], [])
    row = three.rows[2]
    assert [cell.ours for cell in row.cells] == [
        *("0.044", "2.5", "0", "0", "65", "5"),  # 3 of 6840, 29287 of 1182240, 5 ns
        "sum of squares of the means",
    ]
    assert three.columns[1].source == "measured, yosys 9"
    assert three.columns[4].source == "estimate, alkaid 9"
    assert [cell.ours for cell in absolute.rows[2].cells[:3]] == ["29,287", "0", "40,741"]
    assert {cell.ours for row in four.rows for cell in row.cells} == {NOT_RUN}, "another device"
    assert len(three.notes) == 3
    assert absolute.notes[0].endswith(f"for more cycles: {wanted.key}.")


def test_a_run_that_failed_says_why_and_gives_no_figure() -> None:
    wanted = published.TABLE_III[1]
    error = "ToolError: yosys: needs more memory than 8 GiB; raise it (log: /tmp/x.log)"
    three, *_, absolute = _made(
        [], [_run(wanted, "a", error=error), _run(wanted, "b", error="E: b")]
    )
    assert {cell.ours for cell in three.rows[1].cells[:-1]} == {"failed"}
    (note,) = (note for note in three.notes if note.startswith(wanted.model))
    assert note == f"{wanted.model}: failed: yosys: needs more memory than 8 GiB; raise it"
    assert [cell.ours for cell in absolute.rows[1].cells[:3]] == ["failed", "failed", "40,741"]
    # a later failure does not take back what an earlier run has found
    three, *_ = _made([_run(wanted, wanted.key)], [_run(wanted, "a", error=error)])
    assert three.rows[1].cells[1].ours == "2.5"


def test_firmware_of_another_network_is_left_out() -> None:
    wanted = published.TABLE_III[0]
    other = _run(wanted, wanted.key, network="another teacher's")
    shape = published.DISTILLNET
    wider = _run(shape, shape.key)
    wider = replace(wider, parameters={**wider.parameters, "shape.layers": "[128, 64]"})
    three, _, distillnet, _ = _made([other, wider], [])
    assert {cell.ours for cell in three.rows[0].cells} == {NOT_RUN}
    assert distillnet.rows[0].cells[1].ours == NOT_RUN
    *_, distillnet, absolute = _made([_run(shape, shape.key)], [])
    assert not absolute.notes
    assert distillnet.rows[0].cells[4].ours == "29,287 (1.7%)"


def test_every_row_is_a_file_of_the_sweep() -> None:
    sweep = conf("experiment/published_firmware")["hydra"]["sweeper"]["params"]["published"]
    files = {path.stem for path in (ROOT / "conf/published").glob("*.yaml")}
    assert {name.strip() for name in sweep.split(",")} == files
    assert len(files) == len(ROWS)
    for row in ROWS:
        device = row.device.lower().replace("-", "_")
        if row.network is None:
            assert f"qdistillnet_{device}" in files
            expected: Mapping[str, str] = {
                f"shape.{key}": str(value) for key, value in conf("shape/qdistillnet").items()
            }
            assert row.shape.items() <= expected.items()
            continue
        architecture, method, bits = row.network
        file = conf(f"published/{architecture}_{device}")
        teacher = f"outputs/govorkova/{architecture}_pruning/teacher"
        assert file["model"] == f"{teacher}_{method}_{bits}/quantized"

"""Names of runs: what tells two of them apart stands in them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from l1distill.artifacts.record import METRICS, SUMMARY, Record
from l1distill.core.workspace import file_hashes, write_json
from l1distill.reporting.pictures import Picture, write_captions
from l1distill.tracking.descriptions import NOTE
from l1distill.tracking.outputs import run_of
from l1distill.tracking.run_names import LONGEST, run_name
from l1distill.tracking.store import Store
from l1distill.tracking.sweeps import describe_sweep, sweep_name

STUDENT = {
    "student.layers": [32, 16],
    "student.weight_bits": 6,
    "student.activation_bits": 6,
    "compression.sparsity": 0.5,
    "seed": 7,
    "task.name": "anomaly",
    "data.name": "anomaly",
}
TEACHER = {
    "teacher.architecture": "dnn_vae",
    "teacher.widths": [16, 32],
    "teacher.beta": 0.8,
    "teacher.training.epochs": 9,
    "compression.sparsity": 0.0,
    "seed": 7,
    "task.name": "anomaly",
    "data.name": "public",
}
OTHER = {"seed": 1, "task.name": "anomaly", "data.name": "anomaly"}
FIRMWARE = {**OTHER, "firmware.device.name": "VU13P", "firmware.device.clock_mhz": 240.0}


@pytest.mark.parametrize(
    ("stage", "parameters", "inputs", "overrides", "name"),
    [
        ("student", STUDENT, {}, [], "student 32-16 nodes, 6 bits, 50% pruned, seed 7, anomaly"),
        (
            "student",
            {**STUDENT, "student.layers": [48], "compression.nodes": 0.5,
             "compression.features": 20, "compression.sparsity": 0.75},
            {},
            [],
            "student 48 nodes, 6 bits, 50% of nodes and 20 features left, 75% pruned, seed 7, "
            "anomaly",
        ),
        (
            "student",
            {**STUDENT, "compression.nodes": 19, "compression.features": None,
             "compression.sparsity": 0.0},
            {},
            ["compression=straight_through", "compression.nodes=19"],
            "student 32-16 nodes, 6 bits, 19 nodes left, seed 7, anomaly, "
            "compression straight_through",
        ),
        (
            "promote",
            {**OTHER, "gate_profile": ""},
            {"student": {**STUDENT, "compression.nodes": "1.0", "compression.features": "8",
                         "compression.sparsity": "0.0"}},
            [],
            "promote 32-16 nodes, 6 bits, 8 features left, seed 7, anomaly",
        ),
        (
            "student",
            {"student.layers": [16], "student.weight_bits": 4, "student.beta": "0.0003",
             "compression.sparsity": 0.0, "seed": 7},
            {},
            ["student=hgq", "student.beta=3e-4"],
            "student 16 nodes, hgq, beta 0.0003, seed 7",
        ),
        (
            "student",
            {**STUDENT, "student.layers": "[8]", "student.weight_bits": "4",
             "compression.sparsity": "0.0"},
            {},
            [],
            "student 8 nodes, 4/6 bits, seed 7, anomaly",
        ),
        (
            "student",
            STUDENT,
            {},
            ["student.weight_bits=6", "student.training.learning_rate=0.1", "output=there",
             "teacher_folder=here", "tracking.uri=http://me:secret@host"],
            "student 32-16 nodes, 6 bits, 50% pruned, seed 7, anomaly, learning_rate 0.1",
        ),
        (
            "teacher",
            TEACHER,
            {},
            ["teacher=dnn_vae", "teacher.training.epochs=9"],
            "teacher dnn_vae, widths 16-32, beta 0.8, seed 7, public (anomaly), epochs 9",
        ),
        (
            "synthesize",
            FIRMWARE,
            {"student": STUDENT},
            ["firmware/device=vu13p"],
            "synthesize 32-16 nodes, 6 bits, 50% pruned, VU13P, 240 MHz, seed 7, anomaly, "
            "firmware/device vu13p",
        ),
        (
            "promote",
            {**OTHER, "gate_profile": "hl_lhc"},
            {"student": STUDENT, "teacher": TEACHER},
            [],
            "promote 32-16 nodes, 6 bits, 50% pruned, gates hl_lhc, seed 7, anomaly",
        ),
        (
            "quantize",
            {**OTHER, "quantization.method": "qat", "quantization.bits": 4},
            {"teacher": TEACHER},
            [],
            "quantize dnn_vae, widths 16-32, beta 0.8, qat 4 bits, seed 7, public (anomaly)",
        ),
        ("digits", {}, {}, [], "digits"),
    ],
)  # fmt: skip
def test_a_name_says_what_tells_runs_apart(
    stage: str,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, Any]],
    overrides: list[str],
    name: str,
) -> None:
    assert run_name(stage, parameters, inputs, overrides) == name


def test_names_end_somewhere() -> None:
    name = run_name("student", STUDENT, {}, [f"a.key{number}=value" for number in range(99)])
    assert len(name) == LONGEST
    assert sweep_name("student", ["student.weight_bits=4,8", "+x=1"]) == (
        "student sweep weight_bits 4,8, x 1"
    )


def _output(folder: Path, stage: str, parameters: Mapping[str, Any], **inputs: str) -> Path:
    (folder / "plots").mkdir(parents=True)
    (folder / "plots/roc.png").write_bytes(b"png")
    (folder / "report.md").write_text(stage)
    write_captions([Picture(caption="The curves", path=folder / "plots/roc.png")], folder)
    write_json(folder / METRICS, {"auc/a": 0.8571, "auc_error/a": 0.0123, "firmware/lut": 4321.0})
    write_json(folder / SUMMARY, {"auc/a": 0.8571, "lut": 4321.0})
    Record(
        stage=stage,
        parameters=dict(parameters),
        inputs=inputs,
        dataset="anomaly",
        dataset_md5="d41d8cd98f00b204e9800998ecf8427e",
        files=file_hashes(folder),
        artifacts=["*.md", "plots/*"],
        note=f"A note on {stage}." if stage == "promote" else "",
    ).write(folder)
    return folder


def test_an_imported_run_is_named_and_described_as_if_it_had_run(
    store: Store, tmp_path: Path
) -> None:
    client = store.client
    student = run_of(client, _output(tmp_path / "student", "student", STUDENT))
    tags = client.get_run(student).data.tags
    folder = _output(tmp_path / "verdict", "promote", OTHER, student=tags["output_sha256"])
    run = client.get_run(run_of(client, folder))
    assert run.info.run_name == "promote 32-16 nodes, 6 bits, 50% pruned, seed 7, anomaly"
    note = run.data.tags[NOTE]
    link = f"#/experiments/{run.info.experiment_id}/runs"
    view = "?workflowType=machine_learning"
    for line in (
        "Verdict on a student",
        "A note on promote.",
        "Result: auc/a 0.8571 ± 0.012, firmware/lut 4,321.",
        f"- student: [student 32-16 nodes, 6 bits, 50% pruned, seed 7, anomaly]({link}/{student}",
        "- data set `anomaly`, MD5 `d41d8cd98f00b204e9800998ecf8427e`",
        f"![The curves](get-artifact?path=plots/roc.png&run_uuid={run.info.run_id})",
        f"[report.md]({link}/{run.info.run_id}/artifacts/report.md{view})",
    ):
        assert line in note
    assert "note" not in json.loads((tmp_path / "student/record.json").read_text())
    assert Record.read(folder).note == "A note on promote."


def test_a_sweep_is_a_table_of_its_jobs(store: Store, tmp_path: Path) -> None:
    client = store.client
    parent = client.create_run(store.experiment_id, run_name="sweep").info.run_id
    for number, status in enumerate(("FINISHED", "FAILED")):
        job = client.create_run(
            store.experiment_id,
            run_name=f"student {number}",
            tags={"mlflow.parentRunId": parent, "headline": '["auc/a"]'},
        )
        if status == "FINISHED":
            client.log_metric(job.info.run_id, "auc/a", 0.75)
        client.set_terminated(job.info.run_id, status)
    note = describe_sweep(client, parent, "student", "seed=0,1")
    assert "2 jobs of `l1distill student -m seed=0,1`" in note
    assert "| job | status | auc/a |" in note
    assert "[student 0](#/experiments/" in note
    assert ") | finished | 0.75 |" in note
    assert ") | failed | – |" in note

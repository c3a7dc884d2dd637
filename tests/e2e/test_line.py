"""What a person sees after `make repro`."""

import html
import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import mlflow
import numpy as np
import pytest

from l1distill.artifacts.record import Record
from l1distill.core.workspace import folder_sha256
from l1distill.data.encoding import InputEncoding
from l1distill.data.splits import Split
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.reporting.pictures import read_captions
from l1distill.tasks.anomaly.dataset import open_dataset
from tests.e2e.conftest import Project, edit
from tests.settings import conf

STAGES = ("generate", "teacher", "student", "synthesize", "promote", "report")
OUTPUTS = {
    "generate": "data/anomaly",
    "teacher": "models/teacher",
    "student": "models/student",
    "synthesize": "firmware/student",
    "promote": "promotion",
    "report": "report",
}
SIGNALS = ("lq_btau", "a_4l", "h0_tautau", "hch_taunu")


def _runs(line: Project) -> dict[str, mlflow.entities.Run]:
    """The first finished run of each stage, which is the one that DVC started."""
    client = line.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, order_by=["attributes.start_time DESC"])
    return {run.data.tags["stage"]: run for run in runs}


def test_every_stage_has_one_finished_run_with_its_lineage(line: Project) -> None:
    runs = _runs(line)
    commit = line.run("git", "rev-parse", "HEAD").stdout.strip()
    assert set(STAGES) <= set(runs)
    dataset = {runs[stage].data.tags["dataset_md5"] for stage in STAGES}
    assert len(dataset) == 1
    for stage in STAGES:
        run = runs[stage]
        assert run.info.status == "FINISHED", stage
        assert run.data.tags["stage"] == stage
        assert run.data.tags["git_commit"] == commit
        assert re.fullmatch(r"[0-9a-f]{32}|none", run.data.tags["dvc_lock_md5"])
        assert run.data.tags["output_sha256"] == folder_sha256(line.folder / OUTPUTS[stage])
        assert [entry.dataset.name for entry in run.inputs.dataset_inputs] == ["anomaly"]
        assert run.data.params["data.name"] == "anomaly"
        metrics = json.loads((line.folder / OUTPUTS[stage] / "metrics.json").read_text())
        assert {name: run.data.metrics[name] for name in metrics} == pytest.approx(metrics)
    assert runs["promote"].data.params["student.layers"] == "[8]"
    assert runs["promote"].data.params["firmware.device.name"] == "VU9P"
    ids = {stage: runs[stage].info.run_id for stage in STAGES}
    assert runs["student"].data.tags["teacher_run"] == ids["teacher"]
    assert runs["synthesize"].data.tags["student_run"] == ids["student"]
    assert runs["promote"].data.tags["student_run"] == ids["student"]
    assert runs["promote"].data.tags["teacher_run"] == ids["teacher"]


def test_the_whole_configuration_is_logged_flat(line: Project) -> None:
    parameters = _runs(line)["student"].data.params
    assert parameters["student.layers"] == "[8]"
    assert parameters["student.training.epochs"] == "12"
    assert parameters["compression.sparsity"] == "0.75"
    assert parameters["seed"] == str(conf("base")["seed"])


def test_metrics_have_the_agreed_names(line: Project) -> None:
    runs = _runs(line)
    for stage in ("teacher", "student"):
        assert {f"auc/{signal}" for signal in SIGNALS} <= set(runs[stage].data.metrics)
    student = runs["student"].data.metrics
    assert {f"mse_to_teacher/{signal}" for signal in SIGNALS} <= set(student)
    assert student["sparsity"] >= 0.49
    firmware = runs["synthesize"].data.metrics
    for name in ("latency_cycles", "latency_ns", "ii_cycles", "lut", "ff", "dsp", "bram"):
        assert f"firmware/{name}" in firmware
    for name in ("lut", "ff", "dsp", "bram"):
        assert f"firmware/{name}_percent" in firmware
    assert firmware["firmware/mismatches"] == 0
    assert firmware["firmware/lut"] > 100
    assert firmware["firmware/ii_cycles"] == 1


def test_one_model_carries_physics_and_firmware_together(line: Project) -> None:
    client = line.client()
    student_run = _runs(line)["student"]
    models = client.search_logged_models([student_run.info.experiment_id])
    (student,) = [m for m in models if m.source_run_id == student_run.info.run_id]
    logged = {metric.key: metric.value for metric in student.metrics}
    assert {"auc/lq_btau", "firmware/lut", "firmware/latency_ns"} <= set(logged)


def test_a_second_repro_runs_nothing(line: Project) -> None:
    before = len(_runs(line))
    said = line.dvc("repro").stdout
    assert said.count("didn't change, skipping") == len(STAGES)
    assert re.findall(r"Running stage '(\w+)'", said) == ["fingerprint"]
    assert len(_runs(line)) == before


def test_the_champion_scores_as_the_firmware_does(line: Project) -> None:
    script = (
        "import h5py, mlflow, sys, numpy as np\n"
        "trigger = mlflow.pyfunc.load_model('models:/l1distill-anomaly@champion')\n"
        "events = h5py.File('data/anomaly/a_4l.h5')['Particles'][:, :, :3]\n"
        "np.save('scores.npy', trigger.predict(events))\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    line.run(sys.executable, "-c", script)
    with h5py.File(line.folder / "data/anomaly/a_4l.h5") as file:
        events = file["Particles"][:, :, :3]
    encoding = InputEncoding.read(line.folder / "models/student/inputs.json")
    emulator = Emulator.load(line.folder / "firmware/student/emulator.json")
    expected = emulator.predict(encoding.apply(events))[:, 0]
    scores = np.load(line.folder / "scores.npy")
    np.testing.assert_array_equal(scores, expected)
    assert len(np.unique(scores)) > 5


def test_the_registry_says_why(line: Project) -> None:
    client = line.client()
    version = client.get_model_version_by_alias("l1distill-anomaly", "champion")
    gates = [name for name in version.tags if name.startswith("gate.")]
    assert len(gates) == len(conf("gates/anomaly")["gates"])
    assert version.tags["gate.mismatches"] == "passed: 0 (≤ 0; margin 0)"
    assert version.tags["verdict"] == "passed"
    model = client.get_logged_model(version.source.removeprefix("models:/"))
    files = {path.name: path for path in Path(model.artifact_location).rglob("*")}
    assert {"emulator.json", "bundle.tar.gz", "student.h5"} <= set(files)
    assert "all equal" in line.l1distill("verify", str(files["bundle.tar.gz"])).stdout


def test_the_report_is_one_page_with_everything(line: Project) -> None:
    page = (line.folder / "report/index.html").read_text()
    for words in ("Teacher against student", "Promoted", "yosys", "timing closure", "gluon"):
        assert words in page
    assert page.index("too few test events for a working point") < page.index("published AUC")
    assert "<td>HT of the jets</td>" in page
    pictures = [
        picture
        for stage in ("student", "teacher", "generate")
        for picture in read_captions(line.folder / OUTPUTS[stage])
    ]
    assert len(pictures) == 25
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert list(map(html.unescape, captions)) == [picture.caption for picture in pictures]
    assert page.count("data:image/png;base64,") == 25
    assert not re.search(r"(src|href)=[\"']?(http|/)", page)
    assert "nan" not in re.sub(r"base64,[^\"]+", "", page)


def test_dvc_shows_the_line_metrics_and_plots(line: Project) -> None:
    dag = line.dvc("dag", "--mermaid").stdout
    assert all(stage in dag for stage in STAGES)
    metrics = line.dvc("metrics", "show").stdout
    assert max(map(len, metrics.splitlines())) <= 120
    header, *rows = [line.split() for line in metrics.splitlines()]
    assert set(header) == {"Path", "latency_ns", "lut", *(f"auc/{s}" for s in SIGNALS)}
    shown = {path: dict(zip(header[1:], values, strict=True)) for path, *values in rows}
    teacher = json.loads((line.folder / "models/teacher/metrics.json").read_text())
    assert float(shown["models/teacher/summary.json"]["auc/a_4l"]) == pytest.approx(
        teacher["auc/a_4l"], abs=1e-5
    )
    assert float(shown["firmware/student/summary.json"]["lut"]) > 100
    assert shown["models/student/summary.json"]["lut"] == "-"
    line.dvc("plots", "show", "--out", "plots")
    drawn = (line.folder / "plots/index.html").read_text()
    assert all(f"models/student/roc/{signal}.csv" in drawn for signal in SIGNALS)
    assert all(f"models/student/rate/{name}.csv" in drawn for name in ("total", "pure"))
    assert all(f"models/student/agreement/{name}.csv" in drawn for name in SIGNALS)
    assert "Distillation loss" in drawn


def test_a_fresh_clone_with_pulled_outputs_can_synthesize_and_promote(
    line: Project, tmp_path: Path
) -> None:
    """An empty tracking store: the missing runs are logged again from the outputs."""
    uri = f"sqlite:///{tmp_path}/empty.db"
    fresh = line._replace(environment={**line.environment, "MLFLOW_TRACKING_URI": uri})
    where = f"output={tmp_path}/promotion"
    assert "is champion" in fresh.l1distill("promote", where).stdout
    client = mlflow.MlflowClient(uri)
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    imported = {run.data.tags["stage"] for run in runs if run.data.tags.get("imported") == "true"}
    assert imported == {"generate", "teacher", "student", "synthesize"}
    assert {run.info.status for run in runs} == {"FINISHED"}


@pytest.mark.fault(
    stage="teacher",
    fault="truncated, changed or missing input",
    outcome="one line that names the file; the earlier output stays",
)
@pytest.mark.parametrize("damage", ["truncated", "changed", "missing", "shape"])
def test_damaged_data_is_one_line_and_leaves_the_old_output(line: Project, damage: str) -> None:
    path = line.folder / "data/anomaly/background.h5"
    kept, before = path.read_bytes(), folder_sha256(line.folder / "models/teacher")
    try:
        if damage == "truncated":
            path.write_bytes(kept[: len(kept) // 2])
        elif damage == "missing":
            path.unlink()
        else:
            with h5py.File(path, "r+") as file:
                particles = file["Particles"][:]
                del file["Particles"]
                file["Particles"] = particles[:, :18] if damage == "shape" else particles * 1.5
        done = line.l1distill("teacher", check=False)
    finally:
        path.write_bytes(kept)
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert "background.h5" in message
    assert folder_sha256(line.folder / "models/teacher") == before


def test_a_teacher_of_other_data_is_refused(line: Project, tmp_path: Path) -> None:
    other = tmp_path / "teacher"
    line.l1distill("teacher", "teacher.training.epochs=1", f"output={other}")
    inputs = {"generate": "0" * 64}
    Record.read(other).model_copy(update={"inputs": inputs}).write(other)
    done = line.l1distill("student", f"teacher_folder={other}", check=False)
    assert done.returncode == 2
    assert "run teacher again" in done.stderr


def test_a_sweep_is_one_parent_with_children_and_keeps_outputs_apart(line: Project) -> None:
    before = folder_sha256(line.folder / "models/student")
    line.l1distill("student", "-m", "student.weight_bits=3,4", "student.training.epochs=8")
    client = line.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (parent,) = client.search_runs(experiments, "tags.stage = 'student_sweep'")
    children = client.search_runs(
        experiments, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    )
    assert parent.info.status == "FINISHED"
    assert {run.data.params["student.weight_bits"] for run in children} == {"3", "4"}
    outputs = {run.data.params["output"] for run in children}
    assert len(outputs) == 2
    assert all((line.folder / output / "student.h5").is_file() for output in outputs)
    assert folder_sha256(line.folder / "models/student") == before


def test_mlflow_run_is_native(line: Project) -> None:
    """`mlflow run` opens a run and hands it over; the stage logs into that one."""
    done = line.run(
        sys.executable, "-m", "mlflow", "run", ".", "-e", "student", "--env-manager", "local",
        "--experiment-name", "project", "-P", "overrides=student.weight_bits=4 student.layers=[3] "
        "student.training.epochs=8 output=elsewhere",
    )  # fmt: skip
    client = line.client()
    experiment = client.get_experiment_by_name("project")
    assert experiment is not None, done.stderr
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["student.weight_bits"] == "4"
    assert run.data.params["student.layers"] == "[3]"
    assert "auc/a_4l" in run.data.metrics


@pytest.mark.fault(
    stage="student",
    fault="SIGKILL during training",
    outcome="the earlier output stays; run again the stage gives the same bytes; the run that was "
    "left open is ended as KILLED",
)
def test_a_stage_killed_outright_starts_over(line: Project) -> None:
    before = folder_sha256(line.folder / "models/student")
    process = subprocess.Popen(
        [sys.executable, "-m", "l1distill", "student", "student.training.epochs=5000",
         "student.training.patience=5000", "tracking.lease_s=1"],
        cwd=line.folder, env=line.environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert "student" in process.stderr.readline()  # the first line of progress
    busy = line.l1distill("student", check=False)
    assert busy.returncode == 2
    assert "another l1distill process" in busy.stderr
    process.kill()
    process.wait()
    assert folder_sha256(line.folder / "models/student") == before

    # in a process, since so was the first: in this one pictures are not arranged
    line.run("python", "-m", "l1distill", "student", "tracking.lease_s=1")
    client = line.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    assert client.search_runs(experiments, "attributes.status = 'RUNNING'") == []
    assert client.search_runs(experiments, "attributes.status = 'KILLED'") != []
    assert folder_sha256(line.folder / "models/student") == before, "same seed, same bytes"


def test_a_student_value_reruns_only_what_follows(line: Project) -> None:
    path = line.folder / "conf/student/anomaly.yaml"
    kept = path.read_text()
    try:
        edit(path, "weight_bits: 5", "weight_bits: 4")
        said = line.dvc("repro").stdout
    finally:
        path.write_text(kept)
    assert "student: student.weight_bits" in said
    assert re.findall(r"Running stage '(\w+)'", said) == [
        "fingerprint",
        "student",
        "synthesize",
        "promote",
        "report",
    ]
    client = line.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (newest,) = client.search_runs(experiments, "tags.stage = 'student'", max_results=1)
    assert newest.data.params["student.weight_bits"] == "4"


def test_files_from_elsewhere_take_the_place_of_the_generator(
    line: Project, tmp_path: Path
) -> None:
    """The line's own events, written as the published files are, are trained on as they stand."""
    published = {}
    for sample in ("background", "a_4l"):
        with h5py.File(line.folder / f"data/anomaly/{sample}.h5") as file:
            particles = file["Particles"][:].astype(np.float64)
            names = file["Particles_Names"][:]
        published[sample] = tmp_path / f"{sample}.h5"
        with h5py.File(published[sample], "w") as file:
            file.create_dataset("Particles", data=particles, compression="gzip")
            file["Particles_Names"] = names
    folder = tmp_path / "public"
    line.l1distill(
        "generate", "data=public", f"output={folder}",
        f"data.files.background={published['background']}",
        f"data.files.signals.a_4l={published['a_4l']}",
    )  # fmt: skip
    own, imported = (open_dataset(path) for path in (line.folder / "data/anomaly", folder))
    for sample in ("background", "a_4l"):
        for split in Split:
            np.testing.assert_array_equal(
                own.sample(sample).part(split), imported.sample(sample).part(split)
            )
    assert imported.signals == ["a_4l"]
    assert (folder / "standardization.json").read_bytes() == (
        line.folder / "data/anomaly/standardization.json"
    ).read_bytes()
    teacher = tmp_path / "teacher"
    line.l1distill(
        "teacher", "data=public", f"data.folder={folder}", "teacher.training.epochs=1",
        f"output={teacher}",
    )  # fmt: skip
    assert "auc/a_4l" in json.loads((teacher / "metrics.json").read_text())
    (run,) = line.client().search_runs(
        [e.experiment_id for e in line.client().search_experiments()],
        f"tags.dataset_md5 = '{imported.md5}' and tags.stage = 'teacher'",
    )
    assert run.data.params["data.files.reader"] == "public"

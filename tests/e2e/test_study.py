"""The study of Govorkova et al., from its two sweeps to its tables, on a tiny data set."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from l1distill.tracking.lookup import find_runs
from tests.e2e.conftest import Project, edit, experiment_command, make_project

FOLDER = "outputs/govorkova"


@pytest.fixture(scope="module")
def study(
    line: Project, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Both sweeps as their first lines say, but for the length of the trainings."""
    project = make_project(tmp_path_factory.mktemp("study"))
    shutil.copytree(line.folder / "data/anomaly", project.folder / "data/anomaly")
    shutil.copy(template, project.folder / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{project.folder}/mlflow.db")
    short = ["teacher.training.epochs=4"]
    pruning = ["compression.begin_epoch=1", "compression.end_epoch=2"]
    project.l1distill(*experiment_command(project, "govorkova_teachers"), *short, *pruning)
    scan = project.folder / "conf/experiment/govorkova_scan.yaml"
    edit(scan, "quantization.bits: 2,4,6,8,10,12,14,16", "quantization.bits: 8")
    project.l1distill(
        *experiment_command(project, "govorkova_scan"),
        "quantization.training.epochs=2", "quantization.verified=0",
    )  # fmt: skip
    project.l1distill("paper")
    yield project
    mlflow.set_tracking_uri(None)


def test_eight_teachers_and_their_versions_in_fixed_point(study: Project) -> None:
    metrics = json.loads((study.folder / FOLDER / "paper/metrics.json").read_text())
    models = {"float_models": 4, "pruned_models": 4, "quantized_models": 8}
    assert metrics == {**models, "published_firmware": 0}


def test_tables_hold_what_the_runs_logged(study: Project) -> None:
    text = (study.folder / FOLDER / "paper/report.md").read_text()
    client = study.client()
    dataset = json.loads((study.folder / FOLDER / "paper/record.json").read_text())["dataset_md5"]
    chosen = {"teacher.architecture": "dnn_vae", "quantization.method": "ptq"}
    (run,) = (
        run
        for run in find_runs(client, "quantize", "govorkova_scan", dataset)
        if chosen.items() <= run.parameters.items() and run.parameters["quantization.bits"] == "8"
    )
    row = next(line for line in text.splitlines() if line.startswith("| DNN VAE PTQ 8 bits"))
    auc = run.metrics["auc/lq_btau"]
    assert f" {100 * auc:.1f} ± " in row
    assert " / 92 |" in row, "the published figure stands beside ours"
    assert "too few events / 0.08" in row
    assert "tell none of the false positive rates" in text
    missing = next(line for line in text.splitlines() if line.startswith("| CNN AE QAT 4 bits"))
    assert missing.count("not run") == 8


def test_firmware_that_nobody_has_made_is_missing(study: Project) -> None:
    text = (study.folder / FOLDER / "paper/report.md").read_text()
    firmware = text[text.index("## Table III") :]
    make = "not run: l1distill"
    assert f"DNN VAE PTQ 8 bits: {make} synthesize experiment=published_firmware" in firmware
    assert f"CNN AE QAT 4 bits: {make} quantize experiment=govorkova_scan" in firmware
    assert "| not run / 9 |" in firmware


def test_figures_are_there_and_logged(study: Project) -> None:
    plots = {path.name for path in (study.folder / FOLDER / "paper/plots").iterdir()}
    names = ("dnn_ae", "dnn_vae", "cnn_ae", "cnn_vae")
    assert plots == {"roc_dnn.png", "roc_cnn.png", *(f"ratio_{name}.png" for name in names)}
    client = study.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(experiments, "tags.stage = 'paper'")
    artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert {"index.html", "report.md", "plots"} <= artifacts
    page = (study.folder / FOLDER / "paper/index.html").read_text()
    assert page.count("data:image/png;base64,") == len(plots)


def test_every_score_has_its_curve(study: Project) -> None:
    folder = study.folder / FOLDER / "cnn_vae_none/teacher/roc"
    for score in ("mse", "kl", "rz"):
        with (folder / score / "a_4l.csv").open() as file:
            assert len(list(csv.DictReader(file))) == 200


def test_the_weight_of_d_kl_is_a_sweep(study: Project) -> None:
    study.l1distill(
        *experiment_command(study, "govorkova_beta"),
        "teacher=dnn_vae", "teacher.beta=0.1,0.5", "teacher.training.epochs=1",
    )  # fmt: skip
    for beta in ("0.1", "0.5"):
        folder = study.folder / f"outputs/govorkova_beta/dnn_vae_{beta}/teacher"
        metrics = json.loads((folder / "metrics.json").read_text())
        assert metrics["mse/auc/a_4l"] != metrics["kl/auc/a_4l"]


def test_without_runs_it_says_what_to_begin_with(study: Project, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/empty.db"
    fresh = study._replace(environment={**study.environment, "MLFLOW_TRACKING_URI": uri})
    for words, named in (
        ([], "experiment=govorkova_teachers"),
        (["study=searches"], "experiment=search_post"),
    ):
        done = fresh.l1distill("paper", *words, f"output={tmp_path}/paper", check=False)
        assert done.returncode == 2
        (message,) = done.stderr.splitlines()
        assert named in message
        assert not (tmp_path / "empty.db").exists(), "and opens no run, nor a store for it"
    mlflow.set_tracking_uri(f"sqlite:///{study.folder}/mlflow.db")

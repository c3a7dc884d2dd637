"""The comparison on the tiny profile, two jobs of it: a tool that fails, a kill, the rest of it."""

import json
from pathlib import Path
from typing import Any

import mlflow
import pytest

from docs.generate import metrics
from l1distill.core.errors import ToolError
from l1distill.stages import pipeline_job
from tests.e2e.conftest import Project

LEFT, RIGHT = "distill_feature_self", "distill_response_offline"
JOBS = {f"{LEFT},seed=1", f"{RIGHT},seed=1"}
SWEEP = (
    *("pipeline", "experiment=distillation_comparison", f"experiment@_global_={LEFT},{RIGHT}"),
    *("seed=1", "output=outputs/pipeline", "student.layers=[8]", "compression=none"),
    *("student.weight_bits=3", "student.activation_bits=4", "student.input_bits=8"),  # for yosys
    *("student.training.epochs=30", "distillation.augmentation=0", "firmware.rtl_simulator=none"),
    *("firmware.verification_events=20", "firmware.adversarial_events=0"),
)


def _runs(line: Project, **tags: str) -> list[mlflow.entities.Run]:
    client = line.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    words = " and ".join(f"tags.`{key.replace('_1', '.')}` = '{v}'" for key, v in tags.items())
    return list(client.search_runs(experiments, words))


def _children(line: Project, run: mlflow.entities.Run) -> list[mlflow.entities.Run]:
    return _runs(line, **{"mlflow.parentRunId": run.info.run_id})


def test_a_sweep_of_whole_jobs_survives_a_failure_and_a_kill(
    line: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, ran = pipeline_job.execute, list[tuple[str, str]]()
    fault: list[BaseException] = [ToolError("yosys: not on the PATH; install it")]

    def faulty(stage: Any, settings: Any, *arguments: Any) -> None:
        if stage.name == "synthesize" and LEFT in str(settings.output) and fault:
            raise fault.pop()
        ran.append((stage.name, settings.output.parent.name))
        execute(stage, settings, *arguments)

    monkeypatch.setattr(pipeline_job, "execute", faulty)
    models = [model.name for model in line.client().search_registered_models()]
    aliases = [line.client().get_registered_model(name).aliases for name in models]

    failed = line.l1distill(*SWEEP, check=False)
    assert failed.returncode == 1
    assert f"l1distill: job {LEFT},seed=1: yosys: not on the PATH" in failed.stderr
    assert "WARNING" not in failed.stderr
    assert "1 of 2 jobs failed" in failed.stderr
    assert [stage for stage, job in ran if RIGHT in job] == ["student", "synthesize", "promote"]

    fault.append(SystemExit(143))  # as SIGTERM does
    assert line.l1distill(*SWEEP, check=False).returncode == 143
    assert ("student", f"{LEFT},seed=1") in ran

    before = len(ran)
    said = line.l1distill(*SWEEP)
    assert ran[before:] == [
        ("synthesize", f"{LEFT},seed=1"),
        ("promote", f"{LEFT},seed=1"),
    ]
    assert f"{RIGHT},seed=1: done before" in said.stderr

    client = line.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    assert client.search_runs(experiments, "attributes.status = 'RUNNING'") == []
    sweeps = _runs(line, stage="pipeline_sweep")
    assert sorted(run.info.status for run in sweeps) == ["FINISHED", "FINISHED", "KILLED"]
    parent = sweeps[0]  # the newest
    assert parent.data.metrics["jobs"] == 2
    assert parent.data.metrics["jobs_failed"] == 0
    jobs = _children(line, parent)
    assert {run.data.tags["job"] for run in jobs} == JOBS
    for job in jobs:
        assert job.info.run_name == f"pipeline {job.data.tags['job']}"
        stages = {run.data.tags["stage"]: run for run in _children(line, job)}
        assert set(stages) == {"student", "synthesize", "promote"}
        auc = stages["student"].data.metrics["auc/a_4l"]
        assert job.data.metrics["auc/a_4l"] == auc
        lut = stages["synthesize"].data.metrics["firmware/lut"]
        assert job.data.metrics["firmware/lut"] == lut
        assert job.data.params["seed"] == "1"
        assert "LUT (yosys)" in parent.data.tags["mlflow.note.content"]

    names = {name for run in [parent, *jobs] for name in run.data.metrics}
    assert {name for name in names if len(metrics.patterns_of(name)) != 1} == set()

    folder = line.folder / "outputs/pipeline"
    content = json.loads((folder / "comparison.json").read_text())
    lut = {job["job"]: job["metrics"]["firmware/lut"] for job in content["jobs"]}
    assert lut == {run.data.tags["job"]: run.data.metrics["firmware/lut"] for run in jobs}
    assert content["use"] in {LEFT, RIGHT}
    page = (folder / "index.html").read_text()
    assert "data:image/png;base64," in page
    assert "mean AUC" in page
    assert f"AUC less that of {LEFT}" in page
    logged = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"index.html", "comparison.json", "comparison.md", "plots"} <= logged

    # nothing was registered, and nobody became champion
    assert [model.name for model in client.search_registered_models()] == models
    assert [client.get_registered_model(name).aliases for name in models] == aliases
    verdict = json.loads((folder / f"{LEFT},seed=1/promotion/verdict.json").read_text())
    assert verdict["outcome"] in {"candidate", "refused"}
    assert (Path(folder) / f"{LEFT},seed=1/job.json").is_file()

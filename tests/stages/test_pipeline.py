"""Jobs of `l1distill pipeline`: how they are called, composed and refused."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from l1distill.artifacts.record import Record
from l1distill.cli import main
from l1distill.core.errors import DataError, ToolError
from l1distill.core.workspace import file_sha256
from l1distill.stages import pipeline_sweep
from l1distill.stages.composition import compose_stage
from l1distill.stages.job_names import group_of, job_name, named, sweep_folder
from l1distill.stages.pipeline_job import Job, JobResult, _steps, check_job, trains_teacher
from l1distill.stages.pipeline_settings import OF_JOB
from l1distill.stages.pipeline_sweep import _jobs, _without_joblib
from tests.settings import ROOT


@pytest.mark.parametrize(
    ("varied", "name"),
    [
        ({"student.weight_bits": "4", "seed": "0"}, "student.weight_bits=4,seed=0"),
        ({"student.layers": "[32,16]"}, "student.layers=32,16"),
        (
            {"experiment@_global_": "distill_feature_self", "seed": "1"},
            "distill_feature_self,seed=1",
        ),
        ({"experiment": "narrow_student"}, "narrow_student"),
    ],
)
def test_a_job_is_called_after_its_overrides(varied: dict[str, str], name: str) -> None:
    assert job_name(varied) == name


def test_names_stay_apart_and_short_enough_for_a_folder() -> None:
    names = [job_name({"teacher_folder": f"/a/{'x' * 300}/{end}"}) for end in "bc"]
    assert len(set(names)) == 2
    assert all(len(name) <= 120 and "/" not in name for name in names)
    assert group_of({"seed": "3", "student.weight_bits": "4"}) == "student.weight_bits=4"


def test_the_folder_of_a_sweep_over_a_stage_says_what_is_swept() -> None:
    words = ["strategy=post,co", "seed=1,2"]
    assert sweep_folder(words) == "strategy=post,co,seed=1,2"
    where = ["tracking.uri=sqlite:///x.db", "hydra/launcher=joblib", "executor.workers=2"]
    assert sweep_folder([*words, *where]) == sweep_folder(words)
    assert sweep_folder(["experiment=search_repeats"]) == "search_repeats"
    assert sweep_folder([]) == "sweep"
    # brackets, paths and long lists go into a mark
    marked = [["student.layers=[48],[32]"], ["student.layers=[48,32]"], ["output=a/b"]]
    marked += [[f"seed={','.join(map(str, range(start, 80)))}"] for start in (0, 1)]
    names = [sweep_folder(one) for one in marked]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[\w.=,+-]{1,111}-[0-9a-f]{8}", name) for name in names)


def test_a_line_about_a_job_names_it_once() -> None:
    figures = {"firmware/lut": 1234.0, "firmware/latency_ns": 20.0}
    result = JobResult(name="seed=1", folder="out/seed=1", metrics=figures)
    assert result.summary == "seed=1: 1234 LUT, 20.0 ns, gates passed"
    # the only job of outputs/pipeline: the command stands before the line
    assert replace(result, name="pipeline").summary == "1234 LUT, 20.0 ns, gates passed"
    assert replace(result, name="pipeline", error="no").summary == "failed: no"
    assert replace(result, error="seed=1: no").summary == "seed=1: failed: seed=1: no"
    assert named("data=own", "data=own: is of task=anomaly") == "data=own: is of task=anomaly"
    assert named("data=own,seed=1", "data=own: no") == "data=own,seed=1: data=own: no"


def test_a_pipeline_has_the_groups_of_its_stages() -> None:
    """A group that a stage gains has to be one of the pipeline's, too."""
    known = set(compose_stage("pipeline").choices)
    for stage in OF_JOB:
        missing = set(compose_stage(stage.name).choices) - known
        assert missing <= {"shape", "published"}, stage.name


def test_the_comparison_is_ten_ways_to_distill_with_three_seeds() -> None:
    jobs, is_sweep = _jobs(["experiment=distillation_comparison", "seed=0"], multirun=False)
    assert is_sweep
    assert len(jobs) == 10
    assert jobs[0].name == "distill_response_offline,seed=0"
    ways = {
        (
            job.composed["distillation"]["scheme"],
            job.composed["distillation"]["feature"]["weight"] > 0,
            job.composed["distillation"]["relation"]["weight"] > 0,
            job.composed["distillation"]["response"]["answer"],
        )
        for job in jobs
    }
    assert len(ways) == 10
    one = "experiment@_global_=distill_classification"
    whole, _ = _jobs(["experiment=distillation_comparison", one], multirun=True)
    assert [job.varied["seed"] for job in whole] == ["0", "1", "2"]
    student, firmware, promotion = list(_steps(whole[0]))
    assert Path(student.settings.output).parts[-2:] == (whole[0].name, "student")
    assert firmware.settings.firmware.verification_events == 1000
    assert promotion.settings.gates["verification"].min == 1000
    assert promotion.settings.candidate is True


def test_students_with_and_without_pseudo_events_are_compared() -> None:
    jobs, is_sweep = _jobs(["experiment=pseudo_events"], multirun=False)
    assert is_sweep
    assert {(job.varied["distillation.augmentation"], job.varied["seed"]) for job in jobs} == {
        (augmentation, seed) for augmentation in "04" for seed in "012"
    }


def test_ways_to_make_a_student_small_are_compared() -> None:
    jobs, is_sweep = _jobs(["experiment=reduction_comparison", "seed=0"], multirun=False)
    assert is_sweep
    found = []
    for job in jobs:
        check_job(job)
        chosen = job.composed["compression"]
        found.append([chosen.get(key) for key in ("sparsity", "score", "nodes", "features")])
    assert found == [
        *([share, None, None, None] for share in (0.5, 0.75, 0.85)),
        *([0.0, "straight_through", *n] for n in ((24, 24), (16, 20), (12, 20))),
        [0.75, "straight_through", 16, 20],
        *([0.0, "from_scratch", nodes, None] for nodes in (16, 12)),
    ]


def test_small_students_are_compared_with_a_control() -> None:
    jobs, is_sweep = _jobs(["experiment=front", "seed=0"], multirun=False)
    assert is_sweep
    found = {}
    for job in jobs:
        check_job(job)
        of = {key: job.composed[key] for key in ("student", "compression", "distillation")}
        found[job.varied["experiment@_global_"]] = of
    assert {path.stem for path in (ROOT / "conf/experiment").glob("front_*.yaml")} == {*found}
    first, control = found["front_2000"], found["front_control"]
    assert first["distillation"]["response"]["cap"] == 4.0
    assert first["distillation"]["augmentation"] == 2
    assert control["distillation"]["augmentation"] == 0
    same = {**control["student"], "training": first["student"]["training"]}
    assert (same, control["compression"]) == (first["student"], first["compression"])
    # as many steps
    epochs = [one["student"]["training"]["epochs"] for one in (first, control)]
    assert epochs[0] * (1 + first["distillation"]["augmentation"]) == epochs[1]


def test_ways_to_make_a_student_of_jets_small_are_compared() -> None:
    words = ["task=jets", "experiment=jets_reduction", "seed=0"]
    pruned, gated = (job.composed for job in _jobs(words, multirun=False)[0])
    assert pruned["compression"]["sparsity"] == 0.75
    assert [gated["compression"][key] for key in ("nodes", "features")] == [19, 12]
    assert pruned["student"] == gated["student"]
    assert pruned["student"]["layers"] == [64, 64, 64]


def test_joblibs_launcher_is_the_executor_of_processes() -> None:
    words = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=1"]
    told = list(map(_without_joblib, words))
    assert told == ["executor=processes", "executor.workers=2", "seed=1"]


@pytest.mark.parametrize(
    ("word", "own"),
    [("teacher=dnn_vae", True), ("teacher.latent=4", True), ("teacher_folder=x", False)],
)
def test_a_teacher_is_trained_where_the_overrides_name_it(word: str, own: bool) -> None:
    assert trains_teacher({"train_teacher": None}, [word]) is own
    assert trains_teacher({"train_teacher": True}, []) is True
    assert trains_teacher({"train_teacher": False}, [word]) is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["student.wieght_bits=4,6"], "student.wieght_bits: no such key; did you mean student.we"),
        (["firmware.adversarial_event=4,6"], "firmware.adversarial_event: no such key; did you me"),
        (["student.weight_bits=4,99"], "student.weight_bits=99: input should be less than"),
        (["gate=anomaly,hl_lhc"], "gate: no such key; did you mean gates?"),
        (
            ["student=mlp,trees", "student.layers=[8]"],
            "job student=trees: student.layers: student=trees has no such key; student=anomaly "
            "and student=cnn and student=hgq and student=jets and student=mlp and student=pileup "
            "have it; run a sweep for each choice",
        ),
        (
            ["student.quantized=true,false"],
            "job student.quantized=False: student.quantized=false: a student in floating point has",
        ),
        (["student.layers=[4],[]"], "job student.layers=: student.layers=[]: give at least 1 ent"),
        (["task=jets", "data=jets,own"], "job data=own: is of task=anomaly, not of task=jets; of"),
        (["seed=0,0"], "seed=0: is swept twice; leave one out"),
        (["output=a,b"], "output=: cannot be swept"),
        (["executor=process", "seed=0,1"], "executor=process: no such choice; did you mean proc"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_runs(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pipeline", "-m", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_sweep_is_not_that_of_a_job() -> None:
    for words, folder in (
        (["seed=1,2"], "out/seed=1"),
        (["seed=1"], "out/out"),
    ):
        jobs, _ = _jobs([*words, "output=out"], multirun=True)
        assert jobs[0].folder == folder
    (single,), _ = _jobs(["seed=1", "output=out"], multirun=False)
    assert single.folder == "out"


def test_pipelines_take_every_family_of_students() -> None:
    (trees,), _ = _jobs(["student=trees"], multirun=False)
    check_job(trees)
    assert trees.composed["compression"]["sparsity"] == 0.0


@pytest.mark.parametrize("key", ["teacher_folder", "data.folder"])
@pytest.mark.parametrize("sweep", [["-m", "seed=1,2"], ["-m", "student.layers=[2],[4]"], []])
def test_damaged_inputs_are_refused_before_any_job(
    key: str,
    sweep: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = {"data.folder": Path("data"), "teacher_folder": Path("teacher")}
    for folder, stage in ((Path("data"), "generate"), (Path("teacher"), "teacher")):
        folder.mkdir()
        (folder / "file").write_text(stage)
        Record(
            stage=stage,
            parameters={"task.name": "anomaly"},
            inputs={},
            dataset="anomaly",
            dataset_md5="0" * 32,
            files={"file": file_sha256(folder / "file")},
            artifacts=[],
        ).write(folder)
    (folders[key] / "file").write_text("something else")
    words = [f"{name}={folder}" for name, folder in folders.items()]
    assert main(["pipeline", *sweep, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"l1distill: {folders[key]}/file: not what ")
    assert line.endswith(" again")
    assert {path.name for path in tmp_path.iterdir()} == {"data", "teacher"}


def test_a_failed_job_is_one_line_and_its_own_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in sweeps of a stage: the highest status of the jobs."""
    errors = {1: DataError("file: no"), 2: ToolError("yosys: no")}

    def refuse(job: Job) -> JobResult:
        raise errors[job.composed["seed"]]

    monkeypatch.setattr(pipeline_sweep, "check_job_inputs", lambda _: None)
    monkeypatch.setattr(pipeline_sweep, "run_job", refuse)
    monkeypatch.setattr(pipeline_sweep, "parent_run", _no_run)
    monkeypatch.setattr(pipeline_sweep, "write_report", lambda *_: None)
    assert main(["pipeline", "-m", "seed=1,2", f"output={tmp_path / 'sweep'}"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "l1distill: job seed=1: file: no",
        "l1distill: job seed=2: yosys: no",
        "l1distill: 2 of 2 jobs failed",
    ]


@contextmanager
def _no_run(*_: object, **__: object) -> Iterator[Any]:
    yield MagicMock(run_id="0")


def test_several_values_without_a_sweep_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", "seed=0,1"]) == 2
    assert "add -m" in capsys.readouterr().err

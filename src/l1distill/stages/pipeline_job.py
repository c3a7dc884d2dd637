"""One job of the pipeline: its stages one after the other; what is done is taken from disk."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from l1distill.artifacts.folders import PromotionFolder
from l1distill.core.errors import ConfigError, DataError
from l1distill.core.workspace import folder_sha256, read_json, write_json
from l1distill.registry.evidence import Evidence
from l1distill.stages import configuration
from l1distill.stages.execution import check_inputs, execute, is_current
from l1distill.stages.job_names import named
from l1distill.stages.pipeline_scores import write_scores
from l1distill.stages.pipeline_settings import FIRST, OF_JOB, settings_of_job
from l1distill.stages.stage import Stage, StageSettings
from l1distill.tasks.base import Task, load_task
from l1distill.tasks.settings import TaskSettings
from l1distill.tracking.jobs import adopt, adopt_output, parent_run
from l1distill.tracking.output_lock import RUN_LOCK
from l1distill.tracking.outputs import run_of
from l1distill.tracking.registry import EVIDENCE
from l1distill.tracking.runs import Run
from l1distill.tracking.settings import TrackingSettings
from l1distill.tracking.store import connect

PIPELINE = "pipeline"
"""The command, and the usual folder of its only job."""
RESULT = "job.json"
"""File of a job's folder with what came out."""
FOLDERS = {
    "teacher": "teacher",
    "student": "student",
    "synthesize": "firmware",
    "promote": "promotion",
}
"""Folders of the stages in that of the job."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job that is to be run; goes to other processes.

    Attributes:
        name: of its folder and its run.
        folder: where its stages write.
        composed: the nested configuration.
        words: the overrides that it was composed with.
        varied: those that tell it from the other jobs, by key.
        parent: id of the sweep's run; empty for none.
    """

    name: str
    folder: str
    composed: Mapping[str, Any]
    words: Sequence[str] = ()
    varied: Mapping[str, str] = field(default_factory=dict)
    parent: str = ""


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What came of a job.

    Attributes:
        name: of the job.
        folder: its folder.
        varied: the overrides that tell it from the other jobs, by key.
        metrics: of student, firmware and gates.
        run_id: of its run.
        refused_by: gates that failed.
        error: why it failed; empty if it did not.
        status: exit status that the error stands for.
    """

    name: str
    folder: str
    varied: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    run_id: str = ""
    refused_by: Sequence[str] = ()
    error: str = ""
    status: int = 0

    @property
    def gates(self) -> str:
        """The verdict in a word or two."""
        return f"refused by {', '.join(self.refused_by)}" if self.refused_by else "passed"

    @property
    def summary(self) -> str:
        """One line about it."""
        if self.error:
            return named(self.name, f"failed: {self.error}", PIPELINE)
        lut, latency = (self.metrics.get(f"firmware/{one}") for one in ("lut", "latency_ns"))
        said = f"{lut:.0f} LUT, {latency:.1f} ns, gates {self.gates}"
        return named(self.name, said, PIPELINE)


@dataclass(frozen=True, kw_only=True)
class _Step:
    stage: Stage[Any]
    settings: StageSettings
    parameters: Mapping[str, Any]


def check_job(job: Job) -> None:
    """Refuse a job whose configuration one of its stages would refuse.

    Raises:
        ConfigError: a key is unknown, or a value is of the wrong type.
    """
    steps = list(_steps(job))
    if any(step.parameters.get("student.quantized") is False for step in steps):
        raise ConfigError(
            "student.quantized=false: a student in floating point has no firmware, which a job "
            "makes; use l1distill student"
        )


def check_job_inputs(job: Job) -> None:
    """Refuse a job whose first stage cannot use the data set or the teacher that it names.

    Raises:
        DataError: a file is missing or damaged, or of another lineage.
        ConfigError: the job asks for what they do not allow.
    """
    first = next(_steps(job))
    check_inputs(first.stage, first.settings, _task(job))


def log_inputs(job: Job) -> None:
    """Log the runs of what a job reads where the store has none, before several jobs do at once.

    An input that is missing is left to the jobs to name.
    """
    step = next(_steps(job))
    client = connect(step.settings.tracking).client
    for folder in step.stage.inputs(step.settings).values():
        with suppress(DataError):
            run_of(client, folder)


def run_job(job: Job) -> JobResult:
    """Run the stages of a job that are not done yet, and log it as one run with its stages below.

    Two processes that want the same job: the second waits, and takes what the first made.

    Raises:
        L1DistillError: an input cannot be used, or a tool or resource failed.
    """
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    steps = list(_steps(job))
    tracking = steps[0].settings.tracking
    with FileLock(folder / ".job.lock"):
        kept = _kept(job, steps)
        if kept is not None and adopt(tracking, kept.run_id, job.parent):
            said = named(job.name, "done before, taken from disk", PIPELINE)
            print(f"{PIPELINE}: {said}", file=sys.stderr)
            return kept
        return _run(job, steps, tracking)


def _run(job: Job, steps: Sequence[_Step], tracking: TrackingSettings) -> JobResult:
    folder, task = Path(job.folder), _task(job)
    tags = {"stage": "pipeline", "job": job.name, "overrides": " ".join(job.words)}
    name = PIPELINE if job.name == PIPELINE else f"{PIPELINE} {job.name}"
    kept = {k: v for k, v in tags.items() if v}
    with parent_run(tracking, name, kept, job.parent, folder / RUN_LOCK) as run:
        for key, value in job.varied.items():
            run.client.log_param(run.run_id, key.replace("@_global_", ""), value)
        for step in steps:
            _take(step, task, run, job)
        scores = write_scores(folder, steps[-1].settings, task)
        evidence = Evidence.read(folder / FOLDERS["promote"] / EVIDENCE)
        verdict = PromotionFolder(folder / FOLDERS["promote"]).verdict()
        failed = [gate["gate"] for gate in verdict["gates"] if not gate["passed"]]
        metrics = {**evidence.metrics, **scores, "gates_failed": float(len(failed))}
        run.log_metrics(metrics)
        run.set_tags({"dataset_md5": evidence.dataset_md5, "gates": ", ".join(failed) or "passed"})
        result = JobResult(
            name=job.name,
            folder=job.folder,
            varied=job.varied,
            metrics=metrics,
            run_id=run.run_id,
            refused_by=failed,
        )
        write_json(folder / RESULT, {**asdict(result), "promotion": _promotion(folder)})
    return result


def _take(step: _Step, task: Task, run: Run, job: Job) -> None:
    """Run a stage, or take its output from disk."""
    if is_current(step.stage, step.settings, step.parameters):
        adopt_output(run, step.stage.name, folder_sha256(step.settings.output))
        return
    tags = {"job": job.name, "overrides": " ".join(job.words)}
    execute(step.stage, step.settings, task, step.parameters, {k: v for k, v in tags.items() if v})


def _kept(job: Job, steps: Sequence[_Step]) -> JobResult | None:
    """Read what the job left when it ran before; None if it is not that job, or not whole."""
    try:
        content = read_json(Path(job.folder) / RESULT)
        promotion = content.pop("promotion")
        kept = JobResult(**{**content, "name": job.name, "varied": job.varied})
    except (DataError, KeyError, TypeError):
        return None
    done = all(is_current(step.stage, step.settings, step.parameters) for step in steps)
    return kept if done and promotion == _promotion(Path(job.folder)) else None


def _promotion(folder: Path) -> str:
    return folder_sha256(folder / FOLDERS["promote"])


def _task(job: Job) -> Task:
    section = job.composed.get("task") or {}
    return load_task(configuration.parse(TaskSettings, section, "task"))


def _steps(job: Job) -> Iterator[_Step]:
    """Yield the stages of a job, each with the part of the configuration that is its own."""
    task, folder, composed = _task(job), Path(job.folder), dict(job.composed)
    # the whole first: a key that no stage has is refused here, not left out
    configuration.parse(settings_of_job(task, composed), composed)
    own_teacher = trains_teacher(composed, job.words)
    places = {
        "teacher_folder": str(folder / FOLDERS["teacher"])
        if own_teacher
        else composed["teacher_folder"],
        "student_folder": str(folder / FOLDERS["student"]),
        "firmware_folder": str(folder / FOLDERS["synthesize"]),
    }
    if composed.get("accept_at") is None:
        composed.pop("accept_at", None)
    for stage in (*((FIRST,) if own_teacher else ()), *OF_JOB):
        known = stage.settings_for(task, composed).model_fields
        given = {**composed, **places, "output": str(folder / FOLDERS[stage.name])}
        part = {key: value for key, value in given.items() if key in known}
        if stage is FIRST:
            part["compression"] = {"sparsity": 0.0}
        if "executor" in known:
            part["executor"] = None  # that of the pipeline runs its jobs
        if "candidate" in known:
            part["candidate"] = True
        settings = configuration.parse(stage.settings_for(task, composed), part)
        yield _Step(
            stage=stage,
            settings=settings,
            parameters=configuration.parameters_of(settings, part),
        )


def trains_teacher(composed: Mapping[str, Any], words: Sequence[str]) -> bool:
    """Return whether a job trains a teacher of its own: asked for, or its overrides name it."""
    asked = composed.get("train_teacher")
    if asked is not None:
        return bool(asked)
    keys = [word.lstrip("+~").partition("=")[0] for word in words]
    return any(key == "teacher" or key.startswith("teacher.") for key in keys)

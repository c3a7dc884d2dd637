"""A sweep of whole jobs: checked before anything trains, run here or by an executor, compared."""

import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock
from hydra.core.override_parser.overrides_parser import OverridesParser

from l1distill.core.credentials import hide_credentials
from l1distill.core.errors import ConfigError, L1DistillError
from l1distill.core.logging import quiet_libraries
from l1distill.executor.choice import open_executor
from l1distill.stages import refusals
from l1distill.stages.composition import compose_stage, hydra_of, quote_types, to_plain
from l1distill.stages.configuration import parse, settings_class
from l1distill.stages.job_names import group_of, named
from l1distill.stages.other_tasks import check_choices
from l1distill.stages.pipeline_job import (
    PIPELINE,
    Job,
    JobResult,
    check_job,
    check_job_inputs,
    log_inputs,
    run_job,
)
from l1distill.stages.pipeline_report import write_report
from l1distill.stages.pipeline_settings import Settings
from l1distill.stages.sweep_jobs import SweepJob, jobs_of
from l1distill.tracking.jobs import parent_run
from l1distill.tracking.output_lock import SWEEP_LOCK
from l1distill.tracking.sweeps import sweep_name

_JOBLIB = {"hydra/launcher": "executor", "hydra.launcher.n_jobs": "executor.workers"}
"""Joblib's launcher runs processes here, and so does ``executor=processes``."""


def run_pipeline(words: Sequence[str], multirun: bool) -> int:
    """Run the command as its overrides ask for: one job, or a sweep of them.

    Args:
        words: the overrides.
        multirun: whether they are a sweep, as an experiment may say, too.

    Returns:
        The exit status: 0, or where jobs failed the highest of theirs; the others have been run.

    Raises:
        ConfigError: a key, choice or value of any job is refused; nothing has been run.
        DataError: a data set or teacher of any job cannot be used; nothing has been run.
        L1DistillError: the only job failed.
    """
    words = [_without_joblib(word) for word in words]
    jobs, is_sweep = _jobs(words, multirun)
    for check in (check_job, check_job_inputs):
        for job in jobs:
            with _named(job, jobs):
                check(job)
    if not is_sweep:
        print(f"pipeline: {run_job(jobs[0]).summary}", file=sys.stderr)
        return 0
    return _sweep(jobs)


@contextmanager
def _named(job: Job, jobs: Sequence[Job]) -> Iterator[None]:
    """Say of a refused setting which of several jobs has it; a refused file names itself."""
    try:
        yield
    except ConfigError as error:
        if len(jobs) == 1:
            raise
        raise ConfigError(f"job {named(job.name, str(error))}") from error


def _without_joblib(word: str) -> str:
    key, _, value = word.partition("=")
    if key in _JOBLIB and (key != "hydra/launcher" or value == "joblib"):
        return f"{_JOBLIB[key]}={'processes' if value == 'joblib' else value}"
    return word


def _jobs(words: Sequence[str], multirun: bool) -> tuple[list[Job], bool]:
    """Compose every job.

    Raises:
        ConfigError: one of them cannot be composed.
    """
    given = OverridesParser.create().parse_overrides([quote_types(word) for word in words])
    single = [str(one.input_line) for one in given if not one.is_sweep_override()]
    of_hydra = hydra_of(PIPELINE, single)
    if not multirun and not of_hydra.is_multirun:
        if len(single) < len(given):
            compose_stage(PIPELINE, words)  # refuses, and says how
        return [_job(words, SweepJob(words=single, varied={}), is_sweep=False)], False
    # what an experiment sweeps tells its jobs apart, also where the command line gives one value
    jobs = [_job(words, job, is_sweep=True) for job in jobs_of(words, of_hydra.params)]
    names = [job.name for job in jobs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"{twice}: is swept twice; leave one out")
    if len({str(job.composed["output"]) for job in jobs}) > 1:
        raise ConfigError("output=: cannot be swept; each job has a folder of its own in it")
    return jobs, True


def _job(words: Sequence[str], job: SweepJob, *, is_sweep: bool) -> Job:
    try:
        composition = compose_stage(PIPELINE, job.words)
        composed = to_plain(composition.config)
    except refusals.COMPOSITION_ERRORS as error:
        raise ConfigError(refusals.explain(error, PIPELINE, job.words, job.name)) from error
    if any(word.startswith("+") for word in job.words):
        refusals.check_added(settings_class(PIPELINE, composed), PIPELINE, job.words)
    try:
        check_choices(PIPELINE, composed, composition.choices)
    except ConfigError as error:
        why = str(error)
        raise ConfigError(f"job {named(job.name, why)}" if job.name else why) from error
    output = Path(str(composed["output"]))
    said = [hide_credentials(word) for word in words if not word.startswith("tracking.")]
    name = job.name or output.name  # of a sweep over nothing, too
    return Job(
        name=name,
        folder=str(output / name if is_sweep else output),
        composed=composed,
        words=said,
        varied=job.varied,
    )


def _sweep(jobs: Sequence[Job]) -> int:
    settings, said = _settings(jobs[0]), jobs[0].words
    tags = {"stage": "pipeline_sweep", "overrides": " ".join(said)}
    name = sweep_name(PIPELINE, said)
    status, results = 0, dict[str, JobResult]()
    with parent_run(settings.tracking, name, tags, lock=settings.output / SWEEP_LOCK) as run:
        run.client.log_param(run.run_id, "sweep", " ".join(said)[:500])
        children = [replace(job, parent=run.run_id) for job in jobs]
        for result in _results(children, settings):
            results[result.name] = result
            if result.error:
                print(f"l1distill: job {named(result.name, result.error)}", file=sys.stderr)
            else:
                print(f"pipeline: {len(results)}/{len(jobs)} {result.summary}", file=sys.stderr)
        in_order = [results[job.name] for job in jobs]
        settings.output.mkdir(parents=True, exist_ok=True)
        with FileLock(settings.output / ".report.lock"):
            write_report(in_order, settings.output, " ".join(said), run, group_of)
        failed = [one for one in in_order if one.error]
        if failed:
            print(f"l1distill: {len(failed)} of {len(jobs)} jobs failed", file=sys.stderr)
            status = max(one.status for one in failed)
    print(f"pipeline: {settings.output / 'index.html'}", file=sys.stderr)
    return status


def _settings(job: Job) -> Settings:
    own = {key: value for key, value in job.composed.items() if key in Settings.model_fields}
    settings: Settings = parse(Settings, own)
    return settings


def _results(jobs: Sequence[Job], settings: Settings) -> Iterator[JobResult]:
    """Yield what came of each job as soon as it is done; the others go on."""
    if settings.executor is None or len(jobs) == 1:
        yield from map(try_job, jobs)
        return
    log_inputs(jobs[0])
    with open_executor(settings.executor, settings.output / ".work") as executor:
        futures = {executor.submit(try_job, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def try_job(job: Job) -> JobResult:
    """Run a job, perhaps in a process of its own; an error is part of what comes back."""
    quiet_libraries()
    try:
        return run_job(job)
    except Exception as error:
        is_ours = isinstance(error, L1DistillError)
        if not is_ours:
            traceback.print_exc()
        name = "" if is_ours else f"{type(error).__name__}: "
        text = hide_credentials(f"{name}{' '.join(str(error).split())}")[:500]
        return JobResult(
            name=job.name,
            folder=job.folder,
            varied=job.varied,
            error=text or name,
            status=error.exit_status if isinstance(error, L1DistillError) else 1,
        )

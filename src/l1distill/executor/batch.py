"""Dask workers as jobs of a batch system."""

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from l1distill.core.errors import ResourceError
from l1distill.executor.settings import HTCondorSettings, SlurmSettings

LOST_AFTER_S = 60.0
"""A job is submitted again when none of its workers has been there for so long."""
LOOK_EVERY_S = 5.0
"""Time between two looks for lost jobs."""
STATUS_PAGE = "127.0.0.1:0"
"""Dask's status page cannot be turned off; it gets a free port, for this machine only."""

_SUBMIT_WITH = {"slurm": "sbatch", "htcondor": "condor_submit"}


def logs(work: Path) -> Path:
    """Names the folder of the jobs' logs."""
    return work / "jobs"


def batch_cluster(settings: SlurmSettings | HTCondorSettings, work: Path) -> Any:
    """Makes a cluster of batch jobs, none of which is submitted yet.

    Args:
        settings: what a job is to be.
        work: where the jobs leave their logs and find their keys.

    Returns:
        The cluster of dask_jobqueue.

    Raises:
        ResourceError: no job can be made of the settings.
    """
    on_interrupt = signal.getsignal(signal.SIGINT)
    dask_jobqueue: Any = import_module("dask_jobqueue")
    signal.signal(signal.SIGINT, on_interrupt)  # for the import makes of Ctrl-C a good end
    arguments: dict[str, Any] = {
        "cores": settings.cores,
        "processes": settings.cores,  # of one thread each: PYTHIA holds on to its process
        "memory": settings.memory,
        "log_directory": str(logs(work)),
        "security": True,
        "shared_temp_directory": str(work),
        "scheduler_options": {"dashboard_address": STATUS_PAGE},
    }
    if isinstance(settings, SlurmSettings):
        kind = dask_jobqueue.SLURMCluster
        arguments |= settings.model_dump(include={"queue", "account", "walltime"})
        arguments["job_extra_directives"] = settings.directives
    else:
        kind = dask_jobqueue.HTCondorCluster
        directives = (line.partition("=") for line in settings.directives)
        arguments["disk"] = settings.disk
        arguments["job_extra_directives"] = {
            key.strip(): value.strip() for key, _, value in directives
        }
    try:
        return kind(job_cls=_closing(kind.job_cls), **arguments | settings.options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ResourceError(f"executor={settings.kind}: {_squeezed(str(error))}") from error


def _closing(kind: Any) -> Any:
    """Makes a kind of job say when it is closed; dask_jobqueue forgets to, and a cluster checks."""
    from distributed.core import Status

    class Job(kind):  # type: ignore[misc]
        async def close(self) -> None:
            await super().close()
            self.status = Status.closed

    return Job


@contextmanager
def batch_jobs(settings: SlurmSettings | HTCondorSettings, work: Path) -> Iterator[Any]:
    """Submits jobs, keeps up their number, and cancels them in the end.

    Args:
        settings: how many, and what a job is to be.
        work: where the jobs leave their logs and find their keys.

    Yields:
        The cluster of dask_jobqueue.

    Raises:
        ResourceError: the batch system is not there or refuses a job.
    """
    import dask
    from tornado.ioloop import PeriodicCallback

    program = _SUBMIT_WITH[settings.kind]
    if shutil.which(program) is None:
        raise ResourceError(
            f"executor={settings.kind}: {program} is not on the PATH; run this where jobs are "
            "submitted, or choose another executor="
        )
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": LOST_AFTER_S}),
        batch_cluster(settings, work) as cluster,
    ):

        async def submit() -> None:
            cluster.scale(jobs=settings.jobs)
            await cluster

        try:
            cluster.sync(submit)
        except (RuntimeError, ValueError) as error:
            reason = str(error).partition("stderr:")[2] or str(error)
            raise ResourceError(
                f"executor={settings.kind}: {program} refuses the job: {_squeezed(reason)}"
            ) from error
        last_seen: dict[str, float] = {}

        async def look() -> None:
            await _replace_lost(cluster, settings.jobs, last_seen)

        watch = PeriodicCallback(look, LOOK_EVERY_S * 1000)
        cluster.periodic_callbacks["lost jobs"] = watch  # stopped by the cluster when it closes
        cluster.loop.add_callback(watch.start)
        print(
            f"executor: jobs submitted with {program}: {settings.jobs}; their logs: {logs(work)}",
            file=sys.stderr,
            flush=True,
        )
        yield cluster


async def _replace_lost(cluster: Any, jobs: int, last_seen: dict[str, float]) -> None:
    """Submits jobs for those that ended: at their walltime, evicted, or with their node.

    A job that never had a worker may still be in the queue, and is left alone.
    """
    now = time.monotonic()
    workers = [str(worker["name"]) for worker in cluster.scheduler_info["workers"].values()]
    for job in cluster.worker_spec:
        if any(name == job or name.startswith(f"{job}-") for name in workers):
            last_seen[job] = now
    lost = [job for job in cluster.worker_spec if now - last_seen.get(job, now) > LOST_AFTER_S]
    if lost:
        for job in lost:
            del last_seen[job]  # the job that takes its place takes its name
        await cluster.scale_down(lost)
        cluster.scale(jobs=jobs)


def _squeezed(text: str) -> str:
    return " ".join(text.split())

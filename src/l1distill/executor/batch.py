"""Run Dask workers as jobs of a batch system, Slurm or HTCondor."""

import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from l1distill.core.errors import ConfigError, ToolError
from l1distill.executor.settings import HTCondorSettings, SlurmSettings

LOST_AFTER_S = 60.0
"""A job is submitted again when none of its workers has been seen for so long [s]."""
LOOK_EVERY_S = 5.0
"""Time between two searches for lost jobs [s]."""
_NEVER_S = 1e9
"""Dask cancels a lost job itself after so long [s]; it would hit the one that has taken its place,
which has the same name, and put none in its stead."""
STATUS_PAGE = "127.0.0.1:0"
"""Dask's status page cannot be turned off; it gets a free port, for this machine only."""

_NO_CLUSTER = ("configuration source", "contact slurm controller")
"""What sbatch says where its configuration is not, and where nobody answers."""
_SUBMIT_WITH = {"slurm": "sbatch", "htcondor": "condor_submit"}


def logs(work: Path) -> Path:
    """Return the folder of the jobs' logs."""
    return work / "jobs"


def batch_cluster(settings: SlurmSettings | HTCondorSettings, work: Path) -> Any:
    """Make a cluster of batch jobs, none of which is submitted yet.

    Args:
        settings: of the jobs.
        work: folder of their logs and keys.

    Returns:
        The cluster of dask_jobqueue.

    Raises:
        ConfigError: dask_jobqueue refuses an option.
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
        cluster_class = dask_jobqueue.SLURMCluster
        arguments |= settings.model_dump(include={"queue", "account", "walltime"})
        arguments["job_extra_directives"] = settings.directives
    else:
        cluster_class = dask_jobqueue.HTCondorCluster
        directives = (line.partition("=") for line in settings.directives)
        arguments["disk"] = settings.disk
        arguments["job_extra_directives"] = {
            key.strip(): value.strip() for key, _, value in directives
        }
    try:
        return cluster_class(
            job_cls=_closing(cluster_class.job_cls), **arguments | settings.options
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"executor={settings.kind}: {_on_one_line(str(error))}; correct executor.options"
        ) from error


def _closing(job_class: Any) -> Any:
    """Derive a job class that sets its status when it is closed.

    dask_jobqueue forgets to, and a cluster checks.
    """
    from distributed.core import Status

    class Job(job_class):  # type: ignore[misc]
        async def close(self) -> None:
            await super().close()
            self.status = Status.closed

    return Job


def check_batch_system(settings: SlurmSettings | HTCondorSettings) -> str:
    """Return the program that submits jobs.

    Raises:
        ToolError: it is missing.
    """
    program = _SUBMIT_WITH[settings.kind]
    if shutil.which(program) is None:
        raise ToolError(
            f"executor={settings.kind}: {program} is not on the PATH; run this where jobs are "
            "submitted, or choose another executor="
        )
    return program


@contextmanager
def batch_jobs(settings: SlurmSettings | HTCondorSettings, work: Path) -> Iterator[Any]:
    """Submit jobs, keep up their number, and cancel them in the end.

    Args:
        settings: of the jobs, and their number.
        work: folder of their logs and keys.

    Yields:
        The cluster of dask_jobqueue.

    Raises:
        ConfigError: dask_jobqueue refuses an option.
        ToolError: the program that submits jobs is missing or refuses one.
    """
    import dask
    from tornado.ioloop import PeriodicCallback

    program = check_batch_system(settings)
    with ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.deploy.lost-worker-timeout": _NEVER_S}))
        cluster = batch_cluster(settings, work)
        stack.callback(_remove_keys, cluster)
        stack.enter_context(cluster)
        last_seen: dict[str, float] = {}

        async def submit() -> None:
            cluster.scheduler.add_plugin(_newcomers(cluster, last_seen))
            cluster.scale(jobs=settings.jobs)
            await cluster

        try:
            cluster.sync(submit)
        except (RuntimeError, ValueError) as error:
            raise ToolError(f"executor={settings.kind}: {_refusal(program, error)}") from error

        async def replace_lost() -> None:
            await _replace_lost(cluster, settings.jobs, last_seen)

        watch = PeriodicCallback(replace_lost, LOOK_EVERY_S * 1000)
        cluster.periodic_callbacks["lost jobs"] = watch  # stopped by the cluster when it closes
        cluster.loop.add_callback(watch.start)
        print(
            f"executor: jobs submitted with {program}: {settings.jobs}; their logs: {logs(work)}",
            file=sys.stderr,
            flush=True,
        )
        yield cluster


def _remove_keys(cluster: Any) -> None:
    """Remove the keys of a closed cluster, which it leaves to the garbage collector.

    By then their folder may be gone, and Python complains.
    """
    for name in ("_job_ca_file", "_job_cert", "_job_key"):
        file = getattr(cluster, name, None)
        if file is not None:
            file.close()


def _newcomers(cluster: Any, last_seen: dict[str, float]) -> Any:
    """Notice each worker when it comes: it may be gone again at the next look."""
    from distributed import SchedulerPlugin

    class Newcomers(SchedulerPlugin):
        def add_worker(self, scheduler: Any, worker: str, **_: object) -> None:
            _notice(cluster, [scheduler.workers[worker].name], last_seen)

    return Newcomers()


def _notice(cluster: Any, workers: Iterable[object], last_seen: dict[str, float]) -> None:
    """Note that the jobs of workers were seen now; a job's name begins those of its workers."""
    names = [str(worker) for worker in workers]
    for job in cluster.worker_spec:
        if any(name == job or name.startswith(f"{job}-") for name in names):
            last_seen[job] = time.monotonic()


async def _replace_lost(cluster: Any, jobs: int, last_seen: dict[str, float]) -> None:
    """Submit jobs for those that ended: at their walltime, evicted, or with their node.

    A job that never had a worker may still be in the queue, and is left alone. One that the batch
    system did not take, as while it is restarted, is submitted again.
    """
    there = cluster.scheduler_info["workers"].values()
    _notice(cluster, [worker["name"] for worker in there], last_seen)
    now = time.monotonic()
    lost = [job for job in cluster.worker_spec if now - last_seen.get(job, now) > LOST_AFTER_S]
    lost += [job for job, submitted in cluster.workers.items() if submitted.job_id is None]
    if lost:
        for job in lost:
            last_seen.pop(job, None)  # the job that takes its place takes its name
        await cluster.scale_down(lost)
        cluster.scale(jobs=jobs)


def _refusal(program: str, error: Exception) -> str:
    """Return why a job was not submitted: nobody takes any, or what the program says of this."""
    reason = _on_one_line(str(error).partition("stderr:")[2] or str(error))
    if any(words in reason for words in _NO_CLUSTER):
        return (
            f"{program} finds no cluster ({reason.rpartition('; ')[2]}); run this where jobs are "
            "submitted, or choose another executor="
        )
    return f"{program} refuses the job: {reason}"


def _on_one_line(text: str) -> str:
    return "; ".join(filter(None, map(str.strip, text.splitlines())))

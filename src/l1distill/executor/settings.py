"""Settings of the executors: processes or clusters; one class per file of ``conf/executor/``."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from l1distill.core.settings import Settings

Size = Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?[kMGT]?i?B$")]
"""An amount of memory or disk, as ``2GB``."""


class ProcessesSettings(Settings):
    """Processes on this machine."""

    kind: Literal["processes"] = "processes"
    """Kind of executor; chosen with ``executor=``."""
    workers: int | None = Field(default=None, ge=1)
    """Number of worker processes; null for one per core."""


class DaskLocalSettings(Settings):
    """A Dask cluster on this machine."""

    wait_s: ClassVar[float] = 600.0

    kind: Literal["dask_local"] = "dask_local"
    """Kind of executor; chosen with ``executor=``."""
    workers: int | None = Field(default=None, ge=1)
    """Number of worker processes; null for one per core."""


class DaskSettings(Settings):
    """A Dask scheduler that is running already."""

    kind: Literal["dask"] = "dask"
    """Kind of executor; chosen with ``executor=``."""
    address: str = Field(pattern=r"^(tcp|tls)://\S+:\d+$")
    """Address of the scheduler, as ``tcp://host:8786``."""
    wait_s: float = Field(default=3600.0, gt=0)
    """How long to wait for its first worker before giving up [s]."""


class BatchSettings(Settings):
    """Jobs of a batch system, each with workers of a Dask cluster whose scheduler runs here."""

    jobs: int = Field(default=10, ge=1)
    """Number of jobs."""
    cores: int = Field(default=1, ge=1)
    """Cores of a job; each has a worker process."""
    memory: Size = "2GB"
    """Memory of a job."""
    options: dict[str, Any] = Field(default={})
    """More arguments of dask_jobqueue's class; they win over the other settings."""
    wait_s: float = Field(default=3600.0, gt=0)
    """How long to go on without any worker before giving up [s]; jobs may wait in the queue."""


class SlurmSettings(BatchSettings):
    """Slurm jobs."""

    kind: Literal["slurm"] = "slurm"
    """Kind of executor; chosen with ``executor=``."""
    walltime: str = "04:00:00"
    """Time limit of a job; one that ends before the work does is submitted again."""
    queue: str | None = None
    """Queue (partition); null for Slurm's default."""
    account: str | None = None
    """Account; null for Slurm's default."""
    directives: list[str] = Field(default=[])
    """More lines of ``#SBATCH``."""


class HTCondorSettings(BatchSettings):
    """HTCondor jobs."""

    kind: Literal["htcondor"] = "htcondor"
    """Kind of executor; chosen with ``executor=``."""
    disk: Size = "1GB"
    """Disk of a job."""
    directives: list[Annotated[str, Field(pattern=r"^[^=]+=")]] = Field(default=[])
    """More commands of the submit file, as ``key = value``."""


ExecutorSettings = Annotated[
    ProcessesSettings | DaskLocalSettings | DaskSettings | SlurmSettings | HTCondorSettings,
    Field(discriminator="kind"),
]

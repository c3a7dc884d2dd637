"""What a user chooses about where work is done; mirrors ``conf/executor/``."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from l1distill.core.settings import Settings

Size = Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?[kMGT]?i?B$")]
"""An amount of memory or disk, as ``2GB``."""


class ProcessesSettings(Settings):
    """Processes on this machine."""

    kind: Literal["processes"]
    workers: int | None = Field(ge=1)
    """How many; null: one a core."""


class DaskLocalSettings(Settings):
    """A Dask cluster on this machine."""

    wait_s: ClassVar[float] = 600.0

    kind: Literal["dask_local"]
    workers: int | None = Field(ge=1)
    """How many; null: one a core."""


class DaskSettings(Settings):
    """A Dask scheduler that runs already."""

    kind: Literal["dask"]
    address: str = Field(pattern=r"^(tcp|tls)://\S+:\d+$")
    """As ``tcp://host:8786``."""
    wait_s: float = Field(gt=0)
    """How long to wait for its first worker before giving up [s]."""


class BatchSettings(Settings):
    """Jobs of a batch system, each with workers of a Dask cluster whose scheduler is here."""

    jobs: int = Field(ge=1)
    cores: int = Field(ge=1)
    """Of a job; each has a worker process."""
    memory: Size
    """Of a job."""
    options: dict[str, Any]
    """More arguments of dask_jobqueue's class; they win over the other settings."""
    wait_s: float = Field(gt=0)
    """How long to do without any worker before giving up [s]; jobs may wait in the queue."""


class SlurmSettings(BatchSettings):
    """Slurm jobs."""

    kind: Literal["slurm"]
    walltime: str
    """Of a job, as ``04:00:00``; a job that ends before the work does is submitted again."""
    queue: str | None
    account: str | None
    directives: list[str]
    """More of ``#SBATCH``."""


class HTCondorSettings(BatchSettings):
    """HTCondor jobs."""

    kind: Literal["htcondor"]
    disk: Size
    """Of a job."""
    directives: list[Annotated[str, Field(pattern=r"^[^=]+=")]]
    """More commands of the submit file, as ``key = value``."""


ExecutorSettings = Annotated[
    ProcessesSettings | DaskLocalSettings | DaskSettings | SlurmSettings | HTCondorSettings,
    Field(discriminator="kind"),
]

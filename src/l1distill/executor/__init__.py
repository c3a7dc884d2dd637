"""Executors that run work in parallel: processes on this machine, or a Dask cluster."""

from l1distill.executor.choice import check_executor, open_executor, workers_of
from l1distill.executor.settings import (
    BatchSettings,
    DaskLocalSettings,
    DaskSettings,
    ExecutorSettings,
    HTCondorSettings,
    ProcessesSettings,
    SlurmSettings,
)

__all__ = [
    "BatchSettings",
    "DaskLocalSettings",
    "DaskSettings",
    "ExecutorSettings",
    "HTCondorSettings",
    "ProcessesSettings",
    "SlurmSettings",
    "check_executor",
    "open_executor",
    "workers_of",
]

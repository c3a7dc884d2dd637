"""Logged runs as plain records, for whoever gathers tables from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class LoggedRun:
    """What the tracking store knows of a run that has ended."""

    run_id: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class RunFinder(Protocol):
    """Finds runs in the tracking store."""

    def find(
        self, stage: str, experiment: str, dataset_md5: str | None, status: str = "FINISHED"
    ) -> Sequence[LoggedRun]:
        """Return the runs of a stage and an experiment that have ended, the newest first.

        Args:
            stage: its name.
            experiment: the file of ``conf/experiment/`` that they were started with.
            dataset_md5: the data set; any, and none, where it is None.
            status: in which they ended.
        """

    def download(self, run_id: str, path: str, folder: Path) -> Path:
        """Download a file or folder that a run logged.

        Raises:
            FileNotFoundError: the run has no such artifact in the store.
        """

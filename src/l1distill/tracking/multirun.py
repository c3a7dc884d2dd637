"""Log a sweep as one parent run, with its jobs as children."""

import atexit
import os
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from l1distill.core.credentials import hide_credentials
from l1distill.tracking.descriptions import NOTE
from l1distill.tracking.output_lock import SWEEP_LOCK
from l1distill.tracking.runs import PARENT_RUN, OpenRun, set_parent_opener
from l1distill.tracking.settings import TrackingSettings
from l1distill.tracking.store import Store, connect
from l1distill.tracking.sweeps import describe_sweep, sweep_name

IN_THIS_PROCESS = "BasicLauncher"
"""Hydra's launcher that runs the jobs of a sweep in this process, one after the other."""


class SweepRun(Callback):
    """Open the sweep's run with the run of its first job, and close it after the last.

    A sweep whose jobs are all refused before they begin leaves no run. The id goes to the jobs
    through the environment, which launchers hand to their workers.
    """

    def __init__(self) -> None:
        """Make a callback that has no run yet."""
        self._status = "FINISHED"
        self._run: OpenRun | None = None
        self._stage, self._swept = "", ""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Prepare the parent run; open it at once where the jobs run in other processes."""

        def open_parent(store: Store) -> str:
            return self._open(config, store)

        if str(config.hydra.launcher._target_).endswith(IN_THIS_PROCESS):
            set_parent_opener(open_parent)
            return
        tracking = OmegaConf.to_container(config.tracking, resolve=True)
        open_parent(connect(TrackingSettings.model_validate(tracking)))

    def _open(self, config: DictConfig, store: Store) -> str:
        stage = config.hydra.job.config_name
        overrides = [hide_credentials(word) for word in config.hydra.overrides.task]
        self._stage, self._swept = str(stage), " ".join(overrides)
        lock = Path(config.hydra.sweep.dir) / SWEEP_LOCK
        self._run = OpenRun(store, sweep_name(stage, overrides), {"stage": f"{stage}_sweep"}, lock)
        store.client.log_param(self._run.run_id, "sweep", self._swept)
        os.environ[PARENT_RUN] = self._run.run_id
        # Hydra does not call on_multirun_end when the user interrupted.
        atexit.register(self._close, "FAILED")
        return self._run.run_id

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """Remember that a job failed: it raised, or returned another exit status than 0."""
        from hydra.core.utils import JobStatus

        if job_return.status != JobStatus.COMPLETED or job_return.return_value:
            self._status = "FAILED"

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Close the parent run."""
        self._close(self._status)

    def _close(self, status: str) -> None:
        set_parent_opener(None)
        if self._run is None:
            return
        os.environ.pop(PARENT_RUN, None)
        run, self._run = self._run, None
        run.end(status)
        note = describe_sweep(run.client, run.run_id, self._stage, self._swept)
        run.client.set_tag(run.run_id, NOTE, note)

"""A sweep is one parent run; the jobs are its children."""

import atexit
import os
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from l1distill.tracking.runs import PARENT_RUN
from l1distill.tracking.settings import TrackingSettings
from l1distill.tracking.store import connect


class SweepRun(Callback):
    """Opens the sweep's run before the first job and closes it after the last.

    Its id goes to the jobs through the environment, which launchers hand to their workers.
    """

    def __init__(self) -> None:
        """Makes a callback that has no run yet."""
        self._status = "FINISHED"
        self._run_id: str | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Opens the parent run."""
        from l1distill.tracking.runs import open_run

        tracking = OmegaConf.to_container(config.tracking, resolve=True)
        store = connect(TrackingSettings.model_validate(tracking))
        stage = config.hydra.job.config_name
        self._client = store.client
        self._run_id = open_run(store, f"{stage} sweep", {"stage": f"{stage}_sweep"})
        overrides = " ".join(config.hydra.overrides.task)
        store.client.log_param(self._run_id, "sweep", overrides)
        os.environ[PARENT_RUN] = self._run_id
        # Hydra does not call on_multirun_end when a job raised or the user interrupted.
        atexit.register(self._close, "FAILED")

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """Remembers that a job failed."""
        from hydra.core.utils import JobStatus

        if job_return.status != JobStatus.COMPLETED:
            self._status = "FAILED"

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Closes the parent run."""
        self._close(self._status)

    def _close(self, status: str) -> None:
        if self._run_id is None:
            return
        os.environ.pop(PARENT_RUN, None)
        self._client.set_terminated(self._run_id, status)
        self._run_id = None

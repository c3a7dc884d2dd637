"""Hide passwords in the files that Hydra writes beside its log."""

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from l1distill.core.credentials import hide_credentials


class HideCredentials(Callback):
    """Hide the password of a ``tracking.uri=`` in the configuration that Hydra keeps of a job."""

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Go through the files of the job, which are there by now, and that of its sweep."""
        files = [Path(config.hydra.sweep.dir) / "multirun.yaml"]
        if config.hydra.output_subdir is not None:
            folder = Path(config.hydra.runtime.output_dir) / config.hydra.output_subdir
            files += folder.glob("*.yaml")
        for file in files:
            if not file.is_file():
                continue
            text = file.read_text(encoding="utf-8")
            hidden = hide_credentials(text)
            if hidden != text:
                file.write_text(hidden, encoding="utf-8")

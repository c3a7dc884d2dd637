"""Find logged runs and models by the hash of their outputs."""

from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.artifacts.runs import LoggedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel


class StoredRuns:
    """Find runs in a tracking store; see :class:`l1distill.artifacts.runs.RunFinder`."""

    def __init__(self, client: "MlflowClient | None") -> None:
        """Look into the store of a connected client; where there is no store are no runs."""
        self._client = client

    def find(
        self, stage: str, experiment: str, dataset_md5: str | None, status: str = "FINISHED"
    ) -> list[LoggedRun]:
        """Return the runs of a stage and an experiment that have ended, the newest first."""
        if self._client is None:
            return []
        return find_runs(self._client, stage, experiment, dataset_md5, status)

    def download(self, run_id: str, path: str, folder: Path) -> Path:
        """Download a file or folder that a run logged.

        Raises:
            FileNotFoundError: the run has no such artifact in the store.
        """
        client = self._client
        found = None if client is None else download_artifact(client, run_id, path, folder)
        if found is None:
            raise FileNotFoundError(f"{run_id}: {path}")
        return found


def download_artifact(client: "MlflowClient", run_id: str, path: str, folder: Path) -> Path | None:
    """Download a file or folder that a run logged; None if there is none.

    The store is asked first what it has: of a file that is not there, a server in front of S3 says
    that it failed, and MLflow's client asks again for minutes.
    """
    from mlflow.exceptions import MlflowException

    parent = path.rpartition("/")[0] or None
    try:
        if path not in {file.path for file in client.list_artifacts(run_id, parent)}:
            return None
        return Path(client.download_artifacts(run_id, path, str(folder)))
    except (MlflowException, OSError):
        return None


def find_runs(
    client: "MlflowClient",
    stage: str,
    experiment: str,
    dataset_md5: str | None,
    status: str = "FINISHED",
) -> list[LoggedRun]:
    """Return the runs of ``stage`` on a data set that have ended, the newest first.

    Args:
        client: of the store.
        stage: its name.
        experiment: the file of ``conf/experiment/`` that they were started with.
        dataset_md5: the data set; any, and none, where it is None.
        status: in which they ended.
    """
    found, token = [], None
    on = f" and tags.dataset_md5 = '{dataset_md5}'" if dataset_md5 else ""
    while True:
        page = client.search_runs(
            _experiments(client),
            f"attributes.status = '{status}' and tags.stage = '{stage}' "
            f"and tags.experiment = '{experiment}'{on}",
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        found += [
            LoggedRun(
                run_id=run.info.run_id,
                parameters=run.data.params,
                metrics=run.data.metrics,
                tags=run.data.tags,
            )
            for run in page
        ]
        token = page.token
        if not token:
            return found


def find_run(client: "MlflowClient", stage: str, sha256: str) -> str | None:
    """Return the newest finished run of ``stage`` whose output has this hash, if there is one."""
    runs = client.search_runs(
        _experiments(client),
        f"attributes.status = 'FINISHED' and tags.stage = '{stage}' "
        f"and tags.output_sha256 = '{sha256}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return runs[0].info.run_id if runs else None


def find_model(client: "MlflowClient", sha256: str) -> "LoggedModel | None":
    """Return the newest logged model made from the output folder with this hash, if any."""
    models = client.search_logged_models(
        experiment_ids=_experiments(client),
        filter_string=f"tags.output_sha256 = '{sha256}'",
        order_by=[{"field_name": "creation_timestamp", "ascending": False}],
        max_results=1,
    )
    return models[0] if models else None


def _experiments(client: "MlflowClient") -> list[str]:
    return [experiment.experiment_id for experiment in client.search_experiments()]

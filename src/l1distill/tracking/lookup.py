"""Finding runs and models by the content that they made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel


class LoggedRun(NamedTuple):
    """What the store knows of a finished run."""

    run_id: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def find_runs(
    client: "MlflowClient",
    stage: str,
    experiment: str,
    dataset_md5: str | None,
    status: str = "FINISHED",
) -> list[LoggedRun]:
    """Returns the runs of ``stage`` on a data set that have ended, the newest first.

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
            LoggedRun(run.info.run_id, run.data.params, run.data.metrics, run.data.tags)
            for run in page
        ]
        token = page.token
        if not token:
            return found


def find_run(client: "MlflowClient", stage: str, sha256: str) -> str | None:
    """Returns the newest finished run of ``stage`` whose output has this hash, if there is one."""
    runs = client.search_runs(
        _experiments(client),
        f"attributes.status = 'FINISHED' and tags.stage = '{stage}' "
        f"and tags.output_sha256 = '{sha256}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return runs[0].info.run_id if runs else None


def find_model(client: "MlflowClient", sha256: str) -> "LoggedModel | None":
    """Returns the newest logged model made from the output folder with this hash, if any."""
    models = client.search_logged_models(
        experiment_ids=_experiments(client),
        filter_string=f"tags.output_sha256 = '{sha256}'",
        order_by=[{"field_name": "creation_timestamp", "ascending": False}],
        max_results=1,
    )
    return models[0] if models else None


def _experiments(client: "MlflowClient") -> list[str]:
    return [experiment.experiment_id for experiment in client.search_experiments()]

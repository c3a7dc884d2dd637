"""Finding runs and models by the content that they made."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel


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

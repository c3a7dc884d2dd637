"""Links within MLflow's user interface, relative to the address that it is served from."""

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

VIEW = "?workflowType=machine_learning"
"""The view of models that are trained, not that of language models, which MLflow opens else."""


def run_link(client: "MlflowClient", run_id: str, text: str | None = None) -> str:
    """Return a Markdown link to a run; the id alone of a run that is gone.

    Args:
        client: of the store.
        run_id: of the run.
        text: of the link; the run's name if None.
    """
    from mlflow.exceptions import MlflowException

    try:
        info = client.get_run(run_id).info
    except MlflowException:
        return f"run `{run_id}` (deleted)"
    return f"[{text or info.run_name}]({_run(info.experiment_id, run_id)})"


def artifact_link(run: "Run", path: str) -> str:
    """Return a Markdown link to the page of an artifact of a run, with its path as text."""
    info = run.info
    return f"[{path}]({_run(info.experiment_id, info.run_id, f'/artifacts/{quote(path)}')})"


def picture(run_id: str, path: str, caption: str) -> str:
    """Return a Markdown picture that is an artifact of a run; the tracking server hands it out."""
    return f"![{caption}](get-artifact?path={quote(path)}&run_uuid={run_id})"


def version_link(name: str, version: str) -> str:
    """Return a Markdown link to a version of a registered model."""
    return f"[version {version}](#/models/{quote(name)}/versions/{version}{VIEW})"


def _run(experiment: str, run_id: str, within: str = "") -> str:
    return f"#/experiments/{experiment}/runs/{run_id}{within}{VIEW}"

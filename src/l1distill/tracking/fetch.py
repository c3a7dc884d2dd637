"""Fetch a Keras model from MLflow: one logged as such, or a student or trigger of ours."""

from pathlib import Path
from typing import Any

from l1distill.core.errors import DataError, first_line

SCHEMES = ("runs:/", "models:/")
_WITHIN = ("model", "model.h5", "model.keras")
"""What MLflow calls a Keras model within its folder."""


def is_uri(model: str) -> bool:
    """Return whether a model is named by an MLflow URI rather than by a path."""
    return model.startswith(SCHEMES)


def fetch_keras(uri: str, folder: Path) -> Path:
    """Download a model and find the Keras file in it.

    Args:
        uri: ``runs:/<run>/<model or file>`` or ``models:/<name>@<alias>`` and its like.
        folder: an empty folder to download into.

    Returns:
        The HDF5 file or SavedModel folder.

    Raises:
        DataError: there is no such model, or there is no Keras model in it.
    """
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model

    try:
        found = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
    except (MlflowException, OSError, ValueError) as error:
        raise DataError(f"model={uri}: cannot be fetched ({first_line(error)})") from error
    if not (found / "MLmodel").is_file():
        return found
    flavors: dict[str, Any] = Model.load(str(found)).flavors
    for name in ("tensorflow", "keras"):
        data = found / str(flavors.get(name, {}).get("data", "data"))
        for within in _WITHIN if name in flavors else ():
            if (data / within).exists():
                return data / within
    artifacts = flavors.get("python_function", {}).get("artifacts") or {}
    if "student" in artifacts:  # a student of ours, or a trigger that was made from one
        return found / str(artifacts["student"]["path"])
    raise DataError(
        f"model={uri}: holds no Keras model (flavors {', '.join(flavors)}); log it with "
        "mlflow.tensorflow.log_model"
    )


def fetch_files(uri: str, folder: Path) -> dict[str, Path]:
    """Download a model of ours, and find the files that it was made of.

    Args:
        uri: of the model, ``models:/<model id>`` or ``models:/<name>/<version>``.
        folder: to download into.

    Returns:
        Path of each file by its name.

    Raises:
        DataError: it cannot be fetched.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        model = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
    except (MlflowException, OSError, ValueError) as error:
        raise DataError(
            f"{uri}: has no artifact that can be fetched ({first_line(error)})"
        ) from error
    return {path.name: path for path in (model / "artifacts").rglob("*") if path.is_file()}

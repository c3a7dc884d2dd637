"""Where runs and models are logged."""

from l1distill.core.settings import Settings


class TrackingSettings(Settings):
    """The tracking store and the names in it."""

    experiment: str = "l1distill"
    """Name of the MLflow experiment."""
    uri: str | None = None
    """The tracking store; MLflow's own default, ``MLFLOW_TRACKING_URI`` included, if null."""
    model_name: str = "l1distill-anomaly"
    """Name of the registered model; one for each task."""

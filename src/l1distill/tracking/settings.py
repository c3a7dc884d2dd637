"""Where runs and models are logged."""

from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.tracking.lease import LENGTH_S


class TrackingSettings(Settings):
    """The tracking store and the names in it."""

    experiment: str = "l1distill"
    """Name of the MLflow experiment."""
    uri: str | None = None
    """The tracking store; MLflow's own default, ``MLFLOW_TRACKING_URI`` included, if null."""
    lease_s: float = Field(default=LENGTH_S, ge=1)
    """After how long without a sign of life of its process a run is ended as KILLED [s]."""
    model_name: str = "l1distill-anomaly"
    """Name of the registered model; one for each task."""

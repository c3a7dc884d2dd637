"""The one place that talks to MLflow: runs, lineage, logged models, the registry."""

from l1distill.tracking.outputs import log_outputs, run_of
from l1distill.tracking.record import METRICS, RECORD, ModelSpec, Record, read_metrics
from l1distill.tracking.runs import Run, stage_run
from l1distill.tracking.store import Store, TrackingSettings, connect, store_errors_as_one_line

__all__ = [
    "METRICS",
    "RECORD",
    "ModelSpec",
    "Record",
    "Run",
    "Store",
    "TrackingSettings",
    "connect",
    "log_outputs",
    "read_metrics",
    "run_of",
    "stage_run",
    "store_errors_as_one_line",
]

"""The one place that talks to MLflow: runs, lineage, logged models, the registry."""

"""Everything that uses MLflow: runs, lineage, logged models, the model registry."""

"""Commands other than stages: without a run and without an output folder."""

"""One thin module per stage of the pipeline: compose, call, log, write."""

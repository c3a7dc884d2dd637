"""One thin module per stage of the line: compose, call, log, write."""

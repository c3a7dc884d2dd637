"""Gates: thresholds on metrics that decide whether a student is promoted."""

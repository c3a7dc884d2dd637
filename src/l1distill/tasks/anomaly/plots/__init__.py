"""Plots of the anomaly data set and of the study."""

"""The one place that draws."""

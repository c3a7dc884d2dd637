"""The page that shows the results of all stages."""

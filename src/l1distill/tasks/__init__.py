"""What a physicist would call the problem: one package for each task."""

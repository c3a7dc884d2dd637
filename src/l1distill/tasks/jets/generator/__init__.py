"""From PYTHIA collisions to large-radius jets."""

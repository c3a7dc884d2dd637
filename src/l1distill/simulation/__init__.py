"""From PYTHIA collisions to detector objects, for any task."""

"""From PYTHIA collisions to reconstructed trigger objects."""

"""Knowledge distillation for Level-1 triggers: from PYTHIA collisions to bit-exact firmware."""

__version__ = "0.1.0"

"""Making a network smaller: pruning."""

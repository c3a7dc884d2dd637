"""Functions that adders and comparisons compute: piecewise linear, argmax, score heads."""

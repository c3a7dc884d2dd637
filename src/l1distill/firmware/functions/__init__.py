"""Functions made of adders and comparisons: piecewise-linear, argmax, score heads."""

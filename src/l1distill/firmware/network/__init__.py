"""Quantized networks as plain numbers: fixed-point types, layers, value ranges, evaluation."""

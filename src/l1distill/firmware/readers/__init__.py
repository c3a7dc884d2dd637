"""Keras and QKeras models, read into a quantized network."""

"""Quantizers of qkeras-v3 that compute other numbers than QKeras 0.9 does.

Importing this module imports TensorFlow.
"""

from typing import Any

import qkeras
import tensorflow as tf


class quantized_bits(qkeras.quantized_bits):  # type: ignore[misc]
    """QKeras' quantizer, which with ``alpha="auto_po2"`` rounds by its last scale in qkeras-v3.

    QKeras 0.9 rounds by the scale of one step before (``quantizers.py`` of qkeras-v3 1.2.1).
    """

    def __call__(self, x: Any) -> Any:
        """Quantize a tensor."""
        result = super().__call__(x)
        if self.alpha != "auto_po2":
            return result
        x = tf.cast(x, tf.float32)
        levels = 2.0 ** (self.bits - self.keep_negative)
        unit = 2.0**self.integer
        largest = float(2 ** (self.bits - 1) - 1)
        codes = tf.floor(tf.abs(x / unit) / (self.scale / levels) + 0.5)
        codes = tf.sign(x) * tf.where(codes < largest, codes, largest)
        quantized = self.scale * (unit * codes / levels)
        return x + tf.stop_gradient(self.qnoise_factor * (quantized - x))

"""The layers of HGQ's proxy models, for files that hold them: HGQ itself is not needed.

Importing this module imports TensorFlow.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from l1distill.core.errors import DataError

ROUNDINGS = {
    "TRN": tf.floor,
    "RND": lambda x: tf.floor(x + 0.5),
    "RND_CONV": tf.round,
}
"""To whole numbers, by the names of ``ap_fixed``."""
OVERFLOWS = ("WRAP", "SAT", "SAT_SYM")


@tf.keras.utils.register_keras_serializable(package="l1distill")
class FixedPointQuantizer(tf.keras.layers.Layer):  # type: ignore[misc]
    """Layer that rounds each element to a fixed-point type of its own (HGQ 0.2, ``HGQ.proxy``).

    Attributes:
        keep_negative: 1 where an element has a sign.
        bits: of each element, the sign included; 0 for one that is always zero.
        integers: of them before the point, the sign included.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        RND: str = "TRN",
        SAT: str = "WRAP",
        overrides: Any = None,
        fusible: Any = None,
        **kwargs: Any,
    ) -> None:
        """Make a layer whose types come from a file.

        Args:
            shape: of the types, which broadcasts to that of the inputs.
            RND: how numbers are rounded, as ``ap_fixed`` calls it.
            SAT: what happens to those beyond the range, likewise.
            overrides: kept for the configuration, of no use here.
            fusible: likewise.
            kwargs: of every layer.

        Raises:
            DataError: numbers are rounded or overflow in a way that is not supported.
        """
        super().__init__(**{**kwargs, "trainable": False})
        for mode, known in ((RND, tuple(ROUNDINGS)), (SAT, OVERFLOWS)):
            if mode not in known:
                raise DataError(
                    f"layer {self.name} ({type(self).__name__}): {mode} is not supported; use "
                    f"{' or '.join(known)}"
                )
        self.RND, self.SAT = RND, SAT
        self._kept = {"overrides": overrides, "fusible": fusible, "shape": tuple(shape)}
        self.keep_negative, self.bits, self.integers = (
            self.add_weight(name, tuple(shape), "int8", "zeros", trainable=False)
            for name in ("keep_negative", "bits", "integers")
        )

    def call(self, inputs: Any) -> Any:
        """Round and clip, or wrap, each element."""
        signs, bits, whole = (
            tf.cast(values, tf.float32) for values in (self.keep_negative, self.bits, self.integers)
        )
        steps = tf.pow(2.0, whole - bits)
        codes = ROUNDINGS[self.RND](inputs / steps)
        span = tf.pow(2.0, bits - signs)
        low, high = -span * signs, span - 1.0
        if self.SAT == "WRAP":
            codes = tf.math.floormod(codes - low, high - low + 1.0) + low
        else:
            low = -high * signs if self.SAT == "SAT_SYM" else low
            codes = tf.clip_by_value(codes, low, high)
        return tf.where(bits > 0.0, codes * steps, 0.0)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made of again."""
        return {**super().get_config(), "RND": self.RND, "SAT": self.SAT, **self._kept}


class UnaryLUT(tf.keras.layers.Layer):  # type: ignore[misc]
    """Layer that looks each number up in a table (HGQ 0.2, ``HGQ.proxy``).

    Attributes:
        kif_in: sign, bits before and bits behind the point of the numbers that come in.
        table: the value of each code, those of negative numbers at the end.
    """

    def __init__(
        self, kif_in: tuple[int, int, int], kif_out: tuple[int, int, int], **kwargs: Any
    ) -> None:
        """Make a layer whose table comes from a file.

        Args:
            kif_in: see the attribute.
            kif_out: the same of the values, kept for the configuration.
            kwargs: of every layer.
        """
        super().__init__(**kwargs)
        self.kif_in, self.kif_out = tuple(map(int, kif_in)), tuple(map(int, kif_out))
        size = 2 ** sum(self.kif_in)
        self.table = self.add_weight("table", (size,), "float32", "zeros", trainable=False)

    def call(self, inputs: Any) -> Any:
        """Look up each number."""
        codes = tf.cast(tf.round(inputs * 2.0 ** self.kif_in[2]), tf.int32)
        return tf.gather(self.table, tf.math.floormod(codes, np.int32(2 ** sum(self.kif_in))))

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made of again."""
        return {**super().get_config(), "kif_in": self.kif_in, "kif_out": self.kif_out}

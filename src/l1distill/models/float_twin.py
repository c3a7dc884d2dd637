"""The float phase of a student: its network without rounding, in the same ranges."""

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras


def float_twin(student: "keras.Model") -> "keras.Model":
    """Return a copy of a quantized student that rounds nothing, with its weights.

    Every number keeps the range of its quantizer, so that little changes when the weights go back
    into the student: activations are cut where the student cuts them, and weights are kept in range
    by QKeras's constraints.

    Args:
        student: of QKeras layers, as it is built; its weights are in the same order as the copy's.
    """
    import tensorflow as tf
    from tensorflow import keras

    from l1distill.models.known_classes import custom_objects

    class Range(keras.layers.Layer):  # type: ignore[misc]
        """Cut what is beyond the range of a quantizer."""

        def __init__(self, quantizer: Any, name: str) -> None:
            super().__init__(name=name)
            self._low, self._high = float(quantizer.min()), float(quantizer.max())

        def call(self, inputs: "tf.Tensor") -> "tf.Tensor":
            return tf.clip_by_value(inputs, self._low, self._high)

    def without_rounding(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        if type(layer).__name__ == "QActivation":
            return Range(layer.quantizer, layer.name)
        config = layer.get_config()
        if "kernel_quantizer" in config:
            config |= {"kernel_quantizer": None, "bias_quantizer": None}
        return type(layer).from_config(config)

    with warnings.catch_warnings(), keras.utils.custom_object_scope(custom_objects()):
        warnings.simplefilter("ignore", UserWarning)  # of how QKeras writes its quantizers
        twin = keras.models.clone_model(student, clone_function=without_rounding)
    twin.set_weights(student.get_weights())
    return twin

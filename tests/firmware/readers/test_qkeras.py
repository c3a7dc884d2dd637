from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.firmware.readers.qkeras import from_qkeras
from tests.firmware.conftest import Student


def chain(*layers: Any, inputs: int = 4) -> Any:
    import tensorflow as tf

    x = first = tf.keras.Input((inputs,))
    for layer in layers:
        x = layer(x)
    return tf.keras.Model(first, x)


def quantizer(bits: str = "6, 2, alpha=1") -> Any:
    from qkeras import QActivation

    return QActivation(f"quantized_bits({bits})", name="input_quantizer")


def dense(width: int = 1, name: str = "score", **options: Any) -> Any:
    from qkeras import QDense, quantized_bits

    weights = quantized_bits(5, 0, alpha=1)
    options = {"kernel_quantizer": weights, "bias_quantizer": weights, **options}
    return QDense(width, name=name, **options)


def plain_dense() -> Any:
    import tensorflow as tf

    return chain(quantizer(), dense(3, "first"), tf.keras.layers.Dense(1, name="plain"))


def no_quantizer() -> Any:
    return chain(dense(1))


def automatic_scale() -> Any:
    return chain(quantizer(), dense(1), quantizer_named("last", "6, 2, 1, alpha='auto'"))


def real_sigmoid() -> Any:
    from qkeras import QActivation, quantized_sigmoid

    last = QActivation(quantized_sigmoid(6, use_real_sigmoid=True), name="last")
    return chain(quantizer(), dense(1), last)


def automatic_ternary() -> Any:
    from qkeras import QActivation, ternary

    return chain(quantizer(), dense(1), QActivation(ternary(alpha="auto_po2"), name="last"))


def ternary_of_any_size() -> Any:
    from qkeras import QActivation, ternary

    return chain(quantizer(), dense(1), QActivation(ternary(alpha=0.3), name="last"))


def ternary_inputs() -> Any:
    from qkeras import QActivation, ternary

    return chain(QActivation(ternary(alpha=1), name="input_quantizer"), dense(1))


def scale_that_is_long() -> Any:
    return chain(quantizer(), dense(1), quantizer_named("last", "6, 2, alpha=0.3"))


def scale_of_wide_sums() -> Any:
    from qkeras import QActivation, quantized_bits

    fine = quantized_bits(23, 0, alpha=1)
    last = QActivation(quantized_bits(6, 2, alpha=2.0**-8), name="last")
    return chain(quantizer(), dense(1, kernel_quantizer=fine), last)


def automatic_sign() -> Any:
    from qkeras import QActivation, binary

    return chain(quantizer(), dense(1), QActivation(binary(alpha="auto"), name="last"))


def keras_sigmoid() -> Any:
    from tensorflow.keras import layers

    return chain(quantizer(), dense(1), layers.Activation("sigmoid", name="last"))


def softmax() -> Any:
    from tensorflow.keras import layers

    return chain(quantizer(), dense(3), layers.Softmax(name="last"))


def float_bias() -> Any:
    model = chain(quantizer(), dense(1, bias_quantizer=None))
    model.get_layer("score").set_weights([np.ones((4, 1)), np.full(1, 0.3)])
    return model


def float_kernel() -> Any:
    return chain(quantizer(), dense(1, kernel_quantizer=None))


def unsigned_kernel() -> Any:
    from qkeras import quantized_bits

    unsigned = quantized_bits(5, 0, alpha=1, keep_negative=False)
    return chain(quantizer(), dense(1, kernel_quantizer=unsigned))


def sigmoid() -> Any:
    from qkeras import QActivation

    return chain(quantizer(), dense(1), QActivation("quantized_sigmoid(6, 1)", name="last"))


def slope_in_two_bits() -> Any:
    from qkeras import QActivation, quantized_relu

    last = QActivation(quantized_relu(2, 0, negative_slope=0.25), name="last")
    return chain(quantizer(), dense(1), last)


def slope_behind_wide_sums() -> Any:
    from qkeras import QActivation, quantized_bits, quantized_relu

    wide = quantized_bits(16, 0, alpha=1)
    last = QActivation(quantized_relu(16, 0, negative_slope=0.25), name="last")
    return chain(quantizer("16, 2, alpha=1"), dense(1, kernel_quantizer=wide), last)


def keras_slope() -> Any:
    from tensorflow.keras import layers

    return chain(quantizer(), dense(1), layers.LeakyReLU(name="last"), quantizer_named("q"))


def slope_without_type() -> Any:
    from tensorflow.keras import layers

    return chain(quantizer(), dense(2), layers.LeakyReLU(0.25, name="last"), dense(1, "after"))


def unscaled() -> Any:
    from tensorflow.keras import layers

    return chain(layers.Rescaling(0.3, name="units"), quantizer(), dense(1))


def shifted() -> Any:
    from tensorflow.keras import layers

    return chain(layers.Rescaling(0.5, 1.0, name="units"), quantizer(), dense(1))


def picture(*layers: Any) -> Any:
    import tensorflow as tf

    x = first = tf.keras.Input((6, 6, 1))
    for layer in (quantizer("6, 2, alpha=1"), *layers):
        x = layer(x)
    return tf.keras.Model(first, x)


def convolution(**options: Any) -> Any:
    from qkeras import QConv2D, quantized_bits

    weights = quantized_bits(5, 0, alpha=1)
    quantizers = {"kernel_quantizer": weights, "bias_quantizer": weights}
    return QConv2D(2, (3, 3), name="conv", **{**quantizers, **options})


def float_convolution() -> Any:
    return picture(convolution(kernel_quantizer=None))


def smooth_upsampling() -> Any:
    from tensorflow.keras import layers

    return picture(layers.UpSampling2D(2, interpolation="bilinear", name="up"))


def binary() -> Any:
    return chain(quantizer("1, 0, alpha=1"), dense(1))


def unfinished_noise() -> Any:
    from qkeras import QActivation, quantized_bits

    noisy = QActivation(quantized_bits(6, 2, alpha=1, qnoise_factor=0.5), name="last")
    return chain(quantizer(), dense(1), noisy)


def quantizer_named(name: str, bits: str = "6, 2, alpha=1") -> Any:
    from qkeras import QActivation

    return QActivation(f"quantized_bits({bits})", name=name)


def two_inputs() -> Any:
    import tensorflow as tf

    first, second = tf.keras.Input((4,), name="one"), tf.keras.Input((4,), name="two")
    return tf.keras.Model([first, second], tf.keras.layers.Add()([first, second]))


def any_length() -> Any:
    import tensorflow as tf

    first = tf.keras.Input((None, 4))
    return tf.keras.Model(first, quantizer()(first))


def not_a_number() -> Any:
    model = chain(quantizer(), dense(1))
    model.get_layer("score").set_weights([np.full((4, 1), np.nan), np.ones(1)])
    return model


def pruning_wrapper() -> Any:
    from tensorflow_model_optimization.sparsity import keras as sparsity

    return chain(quantizer(), sparsity.prune_low_magnitude(dense(1)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (plain_dense, ("plain", "Dense", "no fixed-point type", "QDense")),
        (no_quantizer, ("inputs have no fixed-point type", "quantized_bits")),
        (automatic_scale, ("last", "QActivation", "alpha='auto'", "other events", "alpha=1")),
        (real_sigmoid, ("last", "QActivation", "real sigmoid is not exact")),
        (automatic_ternary, ("last", "QActivation", "alpha='auto_po2'", "other events")),
        (ternary_of_any_size, ("last", "QActivation", "alpha=0.3", "power of two")),
        (ternary_inputs, ("input_quantizer", "QActivation", "not supported here")),
        (scale_that_is_long, ("last", "QActivation", "QKeras itself rounds", "power of two")),
        (scale_of_wide_sums, ("last", "QActivation", "QKeras itself rounds")),
        (automatic_sign, ("last", "QActivation", "alpha='auto'", "other events")),
        (keras_sigmoid, ("last", "Activation", "quantized_sigmoid")),
        (softmax, ("last", "Softmax", "precision.softmax=argmax", "largest")),
        (float_bias, ("score", "QDense", "bias_quantizer")),
        (float_kernel, ("score", "QDense", "kernel_quantizer")),
        (unsigned_kernel, ("score", "QDense", "keep_negative=False")),
        (sigmoid, ("last", "QActivation", "quantized_sigmoid", "symmetric")),
        (slope_in_two_bits, ("last", "QActivation", "negative_slope=0.25", "LeakyReLU(0.25)")),
        (slope_behind_wide_sums, ("last", "QActivation", "29 bits", "LeakyReLU(0.25)")),
        (keras_slope, ("last", "LeakyReLU", "slope of 0.3 is not exact", "power of two")),
        (slope_without_type, ("last", "LeakyReLU", "quantized_bits")),
        (unscaled, ("units", "Rescaling", "powers of two")),
        (shifted, ("units", "Rescaling", "offset")),
        (float_convolution, ("conv", "QConv2D", "kernel_quantizer")),
        (smooth_upsampling, ("up", "UpSampling2D", "interpolation='bilinear'")),
        (binary, ("input_quantizer", "QActivation", "1 bits")),
        (unfinished_noise, ("last", "QActivation", "qnoise_factor is 0.5")),
        (two_inputs, ("one", "no fixed-point type")),
        (any_length, ("(None, None, 4)", "not fixed")),
        (not_a_number, ("score", "QDense", "kernel", "NaN")),
        (pruning_wrapper, ("PruneLowMagnitude", "not supported")),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    make: Callable[[], Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as refusal:
        from_qkeras(make())
    line = str(refusal.value)
    assert line.startswith("layer ")
    assert "\n" not in line
    for word in words:
        assert word in line


def test_types_are_those_of_the_quantizers(student: Callable[[str], Student]) -> None:
    network = student("two_layers").network
    assert network.inputs == 12
    assert network.outputs == 1
    assert network.input_type.hls == "fixed<8,4,RND_CONV,SAT>"
    assert [layer.name for layer in network.layers] == [
        *("dense_0", "relu_0", "dense_1", "relu_1", "score", "score_quantizer")
    ]
    relu = network.layers[1].type  # type: ignore[union-attr]
    assert relu.hls == "ufixed<8,3,RND_CONV,SAT>"
    kernel = network.layers[0].kernel_type  # type: ignore[union-attr]
    assert kernel.hls == "fixed<4,1,RND_CONV,SAT>"


def test_a_model_that_shares_layers_with_another_is_read() -> None:
    import tensorflow as tf

    model = chain(quantizer(), dense(1))
    tf.keras.Model(model.input, model.get_layer("input_quantizer").output)  # as the scorer does
    model.get_layer("score")(tf.keras.Input((4,)))
    assert len(from_qkeras(model).layers) == 1

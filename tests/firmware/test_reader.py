from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from l1distill.errors import InputError
from l1distill.firmware.qkeras_reader import describe
from tests.firmware.conftest import Student


def chain(*layers: Any, inputs: int = 4) -> Any:
    import tensorflow as tf

    x = first = tf.keras.Input((inputs,))
    for layer in layers:
        x = layer(x)
    return tf.keras.Model(first, x)


def quantiser(bits: str = "6, 2, alpha=1") -> Any:
    from qkeras import QActivation

    return QActivation(f"quantized_bits({bits})", name="input_quantizer")


def dense(width: int = 1, name: str = "score", **options: Any) -> Any:
    from qkeras import QDense, quantized_bits

    weights = quantized_bits(5, 0, alpha=1)
    options = {"kernel_quantizer": weights, "bias_quantizer": weights, **options}
    return QDense(width, name=name, **options)


def plain_dense() -> Any:
    import tensorflow as tf

    return chain(quantiser(), dense(3, "first"), tf.keras.layers.Dense(1, name="plain"))


def no_quantiser() -> Any:
    return chain(dense(1))


def automatic_scale() -> Any:
    from qkeras import quantized_bits

    return chain(quantiser(), dense(1, kernel_quantizer=quantized_bits(5, 0, alpha="auto_po2")))


def float_bias() -> Any:
    return chain(quantiser(), dense(1, bias_quantizer=None))


def float_kernel() -> Any:
    return chain(quantiser(), dense(1, kernel_quantizer=None))


def unsigned_kernel() -> Any:
    from qkeras import quantized_bits

    unsigned = quantized_bits(5, 0, alpha=1, keep_negative=False)
    return chain(quantiser(), dense(1, kernel_quantizer=unsigned))


def sigmoid() -> Any:
    from qkeras import QActivation

    return chain(quantiser(), dense(1), QActivation("quantized_sigmoid(6)", name="last"))


def leaky() -> Any:
    from qkeras import QActivation, quantized_relu

    return chain(
        quantiser(),
        dense(1),
        QActivation(quantized_relu(6, 2, negative_slope=0.25), name="last"),
    )


def binary() -> Any:
    return chain(quantiser("1, 0, alpha=1"), dense(1))


def unfinished_noise() -> Any:
    from qkeras import QActivation, quantized_bits

    noisy = QActivation(quantized_bits(6, 2, alpha=1, qnoise_factor=0.5), name="last")
    return chain(quantiser(), dense(1), noisy)


def branch() -> Any:
    import tensorflow as tf

    first = tf.keras.Input((4,))
    x = quantiser()(first)
    return tf.keras.Model(first, tf.keras.layers.Add(name="sum")([dense(4, "a")(x), x]))


def skipped_layer() -> Any:
    import tensorflow as tf

    first = tf.keras.Input((4,))
    x = quantiser()(first)
    side, main = dense(4, "side")(x), dense(4, "main")(x)
    return tf.keras.Model(first, tf.keras.layers.Concatenate(name="both")([side, main]))


def two_inputs() -> Any:
    import tensorflow as tf

    first, second = tf.keras.Input((4,), name="one"), tf.keras.Input((4,), name="two")
    return tf.keras.Model([first, second], tf.keras.layers.Add()([first, second]))


def image() -> Any:
    import tensorflow as tf

    first = tf.keras.Input((4, 4))
    return tf.keras.Model(first, quantiser()(first))


def zeros() -> Any:
    model = chain(quantiser(), dense(3, "first"), dense(1))
    model.get_layer("first").set_weights([np.zeros((4, 3)), np.ones(3)])
    return model


def not_a_number() -> Any:
    model = chain(quantiser(), dense(1))
    model.get_layer("score").set_weights([np.full((4, 1), np.nan), np.ones(1)])
    return model


def pruning_wrapper() -> Any:
    from tensorflow_model_optimization.sparsity import keras as sparsity

    return chain(quantiser(), sparsity.prune_low_magnitude(dense(1)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (plain_dense, ("plain", "Dense", "not supported", "QDense")),
        (no_quantiser, ("inputs have no fixed-point type", "quantized_bits")),
        (automatic_scale, ("score", "QDense", "alpha='auto_po2'", "alpha=1")),
        (float_bias, ("score", "QDense", "bias_quantizer")),
        (float_kernel, ("score", "QDense", "kernel_quantizer")),
        (unsigned_kernel, ("score", "QDense", "keep_negative=False")),
        (sigmoid, ("last", "QActivation", "quantized_sigmoid")),
        (leaky, ("last", "QActivation", "negative_slope=0.25")),
        (binary, ("input_quantizer", "QActivation", "1 bits")),
        (unfinished_noise, ("last", "QActivation", "qnoise_factor is 0.5")),
        (branch, ("chains",)),
        (skipped_layer, ("chains",)),
        (two_inputs, ("one input",)),
        (image, ("(None, 4, 4)",)),
        (zeros, ("first", "QDense", "all its weights are zero")),
        (not_a_number, ("score", "QDense", "kernel", "NaN")),
        (pruning_wrapper, ("PruneLowMagnitude", "not supported")),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    make: Callable[[], Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as refusal:
        describe(make())
    line = str(refusal.value)
    assert line.startswith("layer ")
    assert "\n" not in line
    for word in words:
        assert word in line


def test_types_are_those_of_the_quantisers(student: Callable[[str], Student]) -> None:
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

    model = chain(quantiser(), dense(1))
    tf.keras.Model(model.input, model.get_layer("input_quantizer").output)  # as the scorer does
    model.get_layer("score")(tf.keras.Input((4,)))
    assert len(describe(model).layers) == 1

"""Small students with weights that exercise rounding, saturation and pruning."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.devices import Device

Bits = tuple[int, int]
"""Bits and integer bits as QKeras counts them."""


class Case(NamedTuple):
    layers: tuple[int, ...] = (6,)
    weights: Bits = (6, 0)
    activations: Bits = (8, 3)
    inputs: Bits = (8, 3)
    output: Bits | None = (8, 3)
    sparsity: float = 0.5
    bias: bool = True
    scale: float = 1.0
    n_inputs: int = 12
    seed: int = 0


CASES = {
    "default": Case(),
    "two_layers": Case(layers=(8, 5), weights=(4, 0)),
    "2_bits": Case(weights=(2, 0), activations=(2, 1), inputs=(4, 2), output=(4, 2), sparsity=0.2),
    "3_bits": Case(weights=(3, 0), activations=(3, 1), inputs=(5, 3), output=(5, 2)),
    "10_bits": Case(weights=(10, 1), activations=(10, 3), inputs=(9, 3), output=(12, 4)),
    "saturates": Case(weights=(8, 1), activations=(5, 0), output=(6, 0), scale=4.0, sparsity=0.0),
    "pruned_90": Case(layers=(12,), sparsity=0.9, seed=3),
    "no_bias": Case(bias=False),
    "no_trailing_activation": Case(output=None),
    "linear": Case(layers=(), output=(6, 2)),
    "integers": Case(weights=(4, 3), activations=(6, 6), inputs=(5, 4), output=(6, 5), scale=3.0),
    "coarser_than_one": Case(weights=(4, 3), activations=(4, 6), inputs=(5, 5), output=(4, 6)),
    "wide_output": Case(output=(20, 5)),
}

HARDWARE = Device(
    name="VU9P",
    part="xcvu9p-flgb2104-2-e",
    family="xcup",
    clock_mhz=200.0,
    luts=1_182_240,
    ffs=2_364_480,
    dsps=6_840,
    bram_18k=4_320,
)


def build(case: Case) -> Any:
    """Builds the student of ``case`` with random weights."""
    import tensorflow as tf
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    weights = quantized_bits(*case.weights, alpha=1)

    def dense(width: int, name: str) -> Any:
        return QDense(
            width,
            kernel_quantizer=weights,
            bias_quantizer=weights,
            use_bias=case.bias,
            name=name,
        )

    first = x = tf.keras.Input((case.n_inputs,), name="inputs")
    x = QActivation(quantized_bits(*case.inputs, alpha=1), name="input_quantizer")(x)
    for number, width in enumerate(case.layers):
        x = dense(width, f"dense_{number}")(x)
        x = QActivation(quantized_relu(*case.activations), name=f"relu_{number}")(x)
    x = dense(1, "score")(x)
    if case.output:
        x = QActivation(quantized_bits(*case.output, alpha=1), name="score_quantizer")(x)
    model = tf.keras.Model(first, x)
    _fill(model, case)
    return model


def _fill(model: Any, case: Case) -> None:
    rng = np.random.default_rng(case.seed)
    reach = 2.0 ** case.weights[1]
    for layer in model.layers:
        values = layer.get_weights()
        if not values:
            continue
        shape = values[0].shape
        kernel = np.clip(rng.normal(0, case.scale * reach / 2, shape), -reach, reach)
        kernel *= rng.random(shape) >= case.sparsity
        kernel[0, 0] = reach / 2  # no layer is all zeros
        layer.set_weights([kernel, *(rng.uniform(-reach, reach, v.shape) for v in values[1:])])


def on_grid(case: Case, events: int = 2000) -> NDArray[np.float32]:
    """Returns (events, n_inputs) inputs: dense, sparse, and the corners of the range."""
    bits, integer = case.inputs
    rng = np.random.default_rng(case.seed + 100)
    codes = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (events, case.n_inputs))
    codes[: events // 2] *= rng.random((events // 2, case.n_inputs)) < 0.4
    codes[0], codes[1], codes[2] = 0, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return (codes * 2.0 ** (integer + 1 - bits)).astype(np.float32)


def scores(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns (n,) what QKeras says."""
    return np.asarray(model.predict(x, batch_size=len(x), verbose=0), dtype=np.float64)[:, 0]

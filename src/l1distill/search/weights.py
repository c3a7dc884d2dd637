"""Weights of candidates: where they start, and their way between QKeras and a population."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.models.mlp import StudentSettings, build_student
from l1distill.search.candidate import Candidate
from l1distill.search.grids import Width

if TYPE_CHECKING:
    from tensorflow import keras

Array = NDArray[np.float32]
Layers = Sequence[tuple[Array, Array]]
"""Kernel (inputs, outputs) and bias (outputs,) of each layer, as Keras has them."""

_TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a normal distribution of width 1 that is cut at 2."""


def starting_weights(candidate: Candidate, features: int, outputs: int) -> list[tuple[Any, Any]]:
    """Draw the weights of a candidate as QKeras's ``QDense`` begins with them.

    Kernels are ``he_normal``: a normal distribution, cut at two deviations, whose variance is 2 by
    the number of inputs; widened where a weight of the type would mostly round to zero, and clipped
    to the type's range. Biases are zero.

    Args:
        candidate: its widths and types, and the seed.
        features: numbers that it reads.
        outputs: numbers that it answers.
    """
    rng = np.random.default_rng([candidate.seed, 0])
    sizes = [features, *candidate.widths, outputs]
    layers = []
    for layer, (rows, columns) in enumerate(itertools.pairwise(sizes)):
        width = Width.of(candidate.student, "weight", layer)
        kernel = _truncated_normal(rng, (rows, columns)) * np.sqrt(2.0 / rows) / _TRUNCATED_STD
        layers.append((_widened(kernel, width).astype(np.float32), np.zeros(columns, np.float32)))
    return layers


def _truncated_normal(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    values = rng.normal(size=shape)
    while (beyond := np.abs(values) > 2.0).any():
        values[beyond] = rng.normal(size=int(beyond.sum()))
    return values


def _widened(kernel: NDArray[np.float64], width: Width) -> NDArray[np.float64]:
    """Widen and clip weights as ``QInitializer`` of QKeras does."""
    most = 2.0**width.integer
    if most * 2.0**-width.bits > kernel.std():
        scale, step, low, high = width.signed
        codes = np.clip(np.rint(kernel * scale), low, high) * step
        if codes.any():
            variance = float((codes * codes).sum() / (codes * kernel).sum())
        else:
            variance = most / float(np.sqrt(np.mean(kernel * kernel)))
        kernel = kernel * np.sqrt(max(variance, 1.0))
    result: NDArray[np.float64] = np.clip(kernel, -most, most)
    return result


def layers_of(model: "keras.Model") -> list[tuple[Any, Any]]:
    """Return the weights of a student of the family ``mlp``, as its training has them."""
    weighted = [layer for layer in model.layers if hasattr(layer, "kernel")]
    return [(layer.kernel.numpy(), layer.bias.numpy()) for layer in weighted]


def to_student(
    settings: StudentSettings, layers: Layers, input_exponents: Sequence[int] = ()
) -> "keras.Model":
    """Return the student in QKeras that has these weights.

    Args:
        settings: its layers and types.
        layers: weights before they are rounded.
        input_exponents: see :func:`l1distill.models.mlp.build_student`.
    """
    features, outputs = layers[0][0].shape[0], layers[-1][0].shape[1]
    model = build_student(settings, features, outputs, input_exponents)
    model.set_weights([part for layer in layers for part in layer])
    return model

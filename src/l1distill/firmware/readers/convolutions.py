"""Convolutions of Keras and QKeras, along a sequence or over an image."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Conv2D, UnaryLayer, ZeroPad2D
from l1distill.firmware.readers.keras_graph import refuse
from l1distill.firmware.readers.shape_layers import as_image, as_sequence


def check_convolution(layer: Any) -> None:
    """Refuse the options of a convolution that :class:`Conv2D` does not compute.

    Raises:
        DataError: there is one.
    """
    ones = (1,) * len(layer.kernel_size)
    for option, required in (
        ("dilation_rate", ones),
        ("groups", 1),
        ("data_format", "channels_last"),
    ):
        if getattr(layer, option) != required:
            refuse(layer, f"has {option}={getattr(layer, option)!r}; use {required!r}")


def convolution_layers(
    layer: Any,
    shape: tuple[int, ...],
    kernel: NDArray[np.float64],
    bias: NDArray[np.float64],
    kernel_type: FixedPoint,
    bias_type: FixedPoint,
) -> Iterator[UnaryLayer]:
    """Yield a convolution; one along a sequence becomes one over an image a column wide.

    Args:
        layer: a Conv1D, Conv2D or their like in QKeras; see :func:`check_convolution`.
        shape: of its input, (steps, channels) or (rows, columns, channels).
        kernel: (width, n_in, n_out) or (height, width, n_in, n_out).
        bias: (n_out,).
        kernel_type: of the kernel.
        bias_type: of the bias.
    """
    if kernel.ndim == 4:
        yield Conv2D(
            layer.name,
            kernel=kernel,
            bias=bias,
            kernel_type=kernel_type,
            bias_type=bias_type,
            padding=layer.padding,
            strides=tuple(layer.strides),
        )
        return
    width, _, n_out = kernel.shape
    steps, padding = shape[0], layer.padding
    yield as_image(layer, shape)
    if padding == "causal":
        yield ZeroPad2D(f"{layer.name}_causal", margins=((width - 1, 0), (0, 0)))
        steps, padding = steps + width - 1, "valid"
    (stride,) = layer.strides
    yield Conv2D(
        layer.name,
        kernel=kernel[:, None],
        bias=bias,
        kernel_type=kernel_type,
        bias_type=bias_type,
        padding=padding,
        strides=(stride, 1),
    )
    windows = (steps if padding == "same" else steps - width + 1) - 1
    yield as_sequence(layer, windows // stride + 1, n_out)

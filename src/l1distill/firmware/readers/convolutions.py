"""Convolutions of Keras and QKeras: along a sequence or over an image, and of single positions."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Conv2D, Dense, UnaryLayer, ZeroPad2D
from l1distill.firmware.network.value_range import Array
from l1distill.firmware.readers.refusal import refuse
from l1distill.firmware.readers.wiring import as_image, as_sequence


def check_convolution(layer: Any) -> None:
    """Refuse the options of a convolution that :class:`Conv2D` does not compute.

    Raises:
        DataError: there is one.
    """
    if layer.data_format != "channels_last":
        refuse(layer, f"has data_format={layer.data_format!r}; use 'channels_last'")


def dense_layers(
    layer: Any,
    shape: tuple[int, ...],
    kernel: Array,
    bias: Array,
    kernel_type: FixedPoint,
    bias_type: FixedPoint,
) -> Iterator[UnaryLayer]:
    """Yield a dense layer; on the last of several axes it is a convolution of single positions.

    Args:
        layer: a Dense or QDense.
        shape: of its input, (..., n_in).
        kernel: (n_in, n_out).
        bias: (n_out,).
        kernel_type: of the kernel.
        bias_type: of the bias.
    """
    if len(shape) == 1:
        yield Dense(
            layer.name, kernel=kernel, bias=bias, kernel_type=kernel_type, bias_type=bias_type
        )
        return
    is_image = len(shape) == 3
    if not is_image:
        yield as_image(layer, shape)
    yield Conv2D(
        layer.name,
        kernel=kernel[None, None],
        bias=bias,
        kernel_type=kernel_type,
        bias_type=bias_type,
    )
    if not is_image:
        yield as_sequence(layer, *shape[:-1], kernel.shape[-1])


def convolution_layers(
    layer: Any,
    shape: tuple[int, ...],
    kernel: Array,
    bias: Array,
    kernel_type: FixedPoint,
    bias_type: FixedPoint,
    name: str | None = None,
) -> Iterator[UnaryLayer]:
    """Yield a convolution; one along a sequence becomes one over an image a column wide.

    Groups and dilation become zeros of the kernel, which cost nothing.

    Args:
        layer: a Conv1D, Conv2D or their like in QKeras; see :func:`check_convolution`.
        shape: of its input, (steps, channels) or (rows, columns, channels).
        kernel: (width, n_in, n_out) or (height, width, n_in, n_out).
        bias: (n_out,).
        kernel_type: of the kernel.
        bias_type: of the bias.
        name: of the convolution; that of the layer if None.
    """
    name = name or layer.name
    kernel = _dilated(_ungrouped(kernel, int(getattr(layer, "groups", 1))), layer.dilation_rate)
    if kernel.ndim == 4:
        yield Conv2D(
            name,
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
        yield ZeroPad2D(f"{name}_causal", margins=((width - 1, 0), (0, 0)))
        steps, padding = steps + width - 1, "valid"
    stride = layer.strides[0]
    yield Conv2D(
        name,
        kernel=kernel[:, None],
        bias=bias,
        kernel_type=kernel_type,
        bias_type=bias_type,
        padding=padding,
        strides=(stride, 1),
    )
    windows = (steps if padding == "same" else steps - width + 1) - 1
    yield as_sequence(layer, windows // stride + 1, n_out)


def depthwise_kernel(kernel: Array) -> Array:
    """Return the kernel of the convolution that treats each channel by itself.

    Args:
        kernel: (..., channels, multiplier), as Keras has it.

    Returns:
        (..., channels, channels * multiplier), most of it zeros.
    """
    *size, channels, multiplier = kernel.shape
    result = np.zeros((*size, channels, channels, multiplier))
    for channel in range(channels):
        result[..., channel, channel, :] = kernel[..., channel, :]
    return result.reshape(*size, channels, channels * multiplier)


def _ungrouped(kernel: Array, groups: int) -> Array:
    """Return the kernel over all channels of one whose groups of channels do not meet."""
    if groups == 1:
        return kernel
    *size, n_in, n_out = kernel.shape
    result = np.zeros((*size, groups * n_in, n_out))
    each = n_out // groups
    for group in range(groups):
        filters = slice(group * each, (group + 1) * each)
        result[..., group * n_in : (group + 1) * n_in, filters] = kernel[..., filters]
    return result


def _dilated(kernel: Array, rates: tuple[int, ...]) -> Array:
    """Return the kernel with zeros between the positions of a window."""
    *size, n_in, n_out = kernel.shape
    wide = [(length - 1) * rate + 1 for length, rate in zip(size, rates, strict=False)]
    result = np.zeros((*wide, n_in, n_out))
    result[tuple(slice(None, None, rate) for rate in rates[: len(size)])] = kernel
    return result

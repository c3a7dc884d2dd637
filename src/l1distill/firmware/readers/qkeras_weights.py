"""Reads the weights of QKeras layers: numbers on a grid, and the scale that is on none."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint, Overflow, grid_of
from l1distill.firmware.network.value_range import Array
from l1distill.firmware.readers.refusal import refuse
from l1distill.firmware.readers.untyped import FLOAT

WEIGHT_QUANTIZERS = ("quantized_bits", "binary", "ternary", "quantized_po2")
MAX_GRID_BITS = 24
"""Weights that take more are scaled: what a float32 holds."""
_MAX_SCALED_BITS = 16
"""Weights with a scale that is no power of two are taken apart if they take more: the few bits
before the scale, and one multiplication of each sum, are cheaper."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Weights:
    """``values * scale`` is what QKeras multiplies with, apart from its own last rounding."""

    values: Array
    """Every one of ``fixed_type``, unless that is :data:`.untyped.FLOAT`."""
    fixed_type: FixedPoint
    scale: Array | None = None
    """(n_out,) float32 numbers where ``alpha`` is on no grid, else ``None``."""


def read_weights(layer: Any, role: str, quantizer: Any, variable: Any) -> Weights:
    """Return the quantized weights of a layer; without a quantizer, in floating point.

    Args:
        layer: for messages.
        role: ``kernel`` or ``bias``.
        quantizer: the layer's quantizer of them; None where it has none.
        variable: the weights as they were trained.

    Raises:
        DataError: it is another quantizer, or its numbers cannot be reproduced.
    """
    if quantizer is None:
        return _floating(layer, role, variable)
    name = type(quantizer).__name__
    if name not in WEIGHT_QUANTIZERS:
        known = " or ".join(WEIGHT_QUANTIZERS)
        refuse(layer, f"its {role} needs {role}_quantizer={known}, not {name}")
    if getattr(quantizer, "use_stochastic_rounding", False):
        refuse(layer, "stochastic rounding cannot be reproduced; switch it off")
    if name != "quantized_bits":
        return _on_any_grid(layer, role, quantizer, variable)
    if not quantizer.keep_negative:  # hls4ml 1.3.0 reads the weights as signed and drops a bit
        refuse(layer, f"its {role}_quantizer has keep_negative=False; use signed weights")
    alpha = quantizer.alpha
    if alpha is not None and (isinstance(alpha, str) or np.any(np.asarray(alpha) != 1)):
        check_quantizer(layer, quantizer)
        return _on_any_grid(layer, role, quantizer, variable)
    if quantizer.bits <= 1:
        return _on_any_grid(layer, role, quantizer, variable)
    fixed_type = bits_type(layer, quantizer)
    values = np.asarray(quantizer(variable), dtype=np.float64)
    if not fixed_type.holds(values):
        refuse(
            layer, f"its {role} is not on the grid of {fixed_type.hls}: NaN, or another quantizer"
        )
    return Weights(values=values + 0.0, fixed_type=fixed_type)


def _floating(layer: Any, role: str, variable: Any) -> Weights:
    """Return weights that are still to be rounded; zeros, as a new layer's bias, need not be."""
    values = np.asarray(variable, dtype=np.float64) + 0.0
    if not np.isfinite(values).all():
        refuse(layer, f"its {role} is not on any grid: NaN, or infinite")
    return Weights(values=values, fixed_type=FLOAT if values.any() else _signed_grid(values))


def _on_any_grid(layer: Any, role: str, quantizer: Any, variable: Any) -> Weights:
    """Find a grid for the quantizer's numbers, and take its scale apart where it must be."""
    values = np.asarray(quantizer(variable), dtype=np.float64) + 0.0
    if not np.isfinite(values).all():
        refuse(layer, f"its {role} is not on any grid: NaN, or infinite")
    fixed_type = _signed_grid(values)
    scale = _scale_of_outputs(quantizer, values)
    is_shift = scale is None or bool(np.all(np.frexp(scale)[0] == 0.5))
    # nothing is multiplied with a bias: it can have any number of bits
    if role == "bias" or fixed_type.bits <= (MAX_GRID_BITS if is_shift else _MAX_SCALED_BITS):
        return Weights(values=values, fixed_type=fixed_type)
    if scale is None:
        refuse(layer, f"its {role} takes {fixed_type.bits} bits on one grid; use a narrower range")
    step = _step_before_scale(quantizer)
    unscaled = np.rint(values / scale / step) * step
    # QKeras adds the difference to what was trained: that may be off in the last bit of either
    last_bits = 2.0**-22 * np.maximum(np.abs(np.asarray(variable)), np.abs(values))
    if np.any(np.abs(unscaled * scale - values) > last_bits):
        refuse(
            layer, f"its {role} takes {fixed_type.bits} bits, and its scale does not explain that"
        )
    return Weights(values=unscaled + 0.0, fixed_type=_signed_grid(unscaled), scale=scale)


def _scale_of_outputs(quantizer: Any, values: Array) -> Array | None:
    """Return the scale that a quantizer has applied to each output, 1 where that is 0.

    Returns:
        (n_out,) numbers of float32, which is what TensorFlow multiplies by, whatever number of
        Python ``alpha`` is; ``None`` where there is no scale, or one that depends on the input.
    """
    scale = getattr(quantizer, "scale", None)
    if scale is None:
        return None
    scale = np.asarray(scale, dtype=np.float32).astype(np.float64)
    if scale.size not in (1, scale.shape[-1] if scale.ndim else 1):
        return None
    scale = np.broadcast_to(scale.ravel(), values.shape[-1:])
    return np.where(scale == 0, 1.0, scale)


def _step_before_scale(quantizer: Any) -> float:
    """Return the distance between two neighboring weights before they are scaled."""
    if type(quantizer).__name__ != "quantized_bits":
        return 1.0
    magnitude_bits = int(quantizer.bits) - bool(quantizer.keep_negative)
    return 2.0 ** (int(quantizer.integer) - magnitude_bits) if magnitude_bits else 1.0


def _signed_grid(values: Array) -> FixedPoint:
    fixed_type = grid_of(values)
    return fixed_type if fixed_type.signed else replace(fixed_type, signed=True)


def bits_type(layer: Any, quantizer: Any) -> FixedPoint:
    """Return the fixed-point type of a ``quantized_bits`` with ``alpha=1``.

    Raises:
        DataError: it has no bit beside the sign, or cannot be reproduced.
    """
    check_quantizer(layer, quantizer)
    signed = bool(quantizer.keep_negative)
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    if bits - signed < 1:
        refuse(layer, f"quantized_bits with {bits} bits is a sign; use at least {signed + 1}")
    overflow: Overflow = "SAT_SYM" if signed and quantizer.symmetric else "SAT"
    fraction = bits - signed - integer
    return FixedPoint(signed=signed, integer=integer, fraction=fraction, overflow=overflow)


def check_quantizer(layer: Any, quantizer: Any) -> None:
    """Refuse a quantizer that does not give the same number every time.

    Raises:
        DataError: it rounds stochastically, or adds noise.
    """
    if quantizer.use_stochastic_rounding:
        refuse(layer, "stochastic rounding cannot be reproduced; switch it off")
    noise = getattr(quantizer, "qnoise_factor", 1)
    if float(noise) != 1:
        refuse(layer, f"qnoise_factor is {float(noise):g}; finish at 1")

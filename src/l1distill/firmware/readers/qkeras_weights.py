"""Reads the weights of QKeras layers: numbers on a grid, and the scale that is on none."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.fixed_point import FixedPoint, Overflow, grid_of
from l1distill.firmware.readers.keras_graph import refuse

WEIGHT_QUANTIZERS = ("quantized_bits", "binary", "ternary", "quantized_po2")
MAX_GRID_BITS = 24
"""Weights that take more are scaled: what a float32 holds."""


class Weights(NamedTuple):
    """``values * scale`` is what QKeras multiplies with, apart from its own last rounding."""

    values: NDArray[np.float64]
    """Every one of ``kind``."""
    kind: FixedPoint
    scale: NDArray[np.float64] | None
    """(n_out,) float32 numbers where ``alpha`` is on no grid, else ``None``."""


def read_weights(layer: Any, what: str, quantizer: Any, variable: Any) -> Weights:
    """Returns the quantized weights of a layer.

    Args:
        layer: for messages.
        what: ``kernel`` or ``bias``.
        quantizer: the layer's quantizer of them.
        variable: the weights as they were trained.

    Raises:
        DataError: there is no such quantizer, or its numbers cannot be reproduced.
    """
    name = type(quantizer).__name__
    if name not in WEIGHT_QUANTIZERS:
        shown = "" if quantizer is None else f", not {name}"
        refuse(layer, f"its {what} needs {what}_quantizer={' or '.join(WEIGHT_QUANTIZERS)}{shown}")
    if getattr(quantizer, "use_stochastic_rounding", False):
        refuse(layer, "stochastic rounding cannot be reproduced; switch it off")
    if name != "quantized_bits":
        return _on_any_grid(layer, what, quantizer, variable)
    if not quantizer.keep_negative:  # hls4ml 1.3.0 reads the weights as signed and drops a bit
        refuse(layer, f"its {what}_quantizer has keep_negative=False; use signed weights")
    if quantizer.alpha is not None and (isinstance(quantizer.alpha, str) or quantizer.alpha != 1):
        check_quantizer(layer, quantizer)
        return _on_any_grid(layer, what, quantizer, variable)
    kind = bits_type(layer, quantizer) if quantizer.bits > 1 else None
    if kind is None:
        return _on_any_grid(layer, what, quantizer, variable)
    values = np.asarray(quantizer(variable), dtype=np.float64)
    if not kind.holds(values):
        refuse(layer, f"its {what} is not on the grid of {kind.hls}: NaN, or another quantizer")
    return Weights(values + 0.0, kind, None)


def _on_any_grid(layer: Any, what: str, quantizer: Any, variable: Any) -> Weights:
    """Takes the quantizer's numbers for what they are, and its scale apart where it must be."""
    values = np.asarray(quantizer(variable), dtype=np.float64) + 0.0
    if not np.isfinite(values).all():
        refuse(layer, f"its {what} is not on any grid: NaN, or infinite")
    kind = _signed(values)
    if kind.bits <= MAX_GRID_BITS:
        return Weights(values, kind, None)
    if what == "bias":  # nothing is multiplied with it
        return Weights(values, kind, None)
    scale = np.broadcast_to(
        np.asarray(quantizer.scale, dtype=np.float64), (*(1,) * (values.ndim - 1), values.shape[-1])
    )
    safe = np.where(scale == 0, 1.0, scale)
    step = 1.0
    if type(quantizer).__name__ == "quantized_bits":
        step = 2.0 ** (int(quantizer.integer) - int(quantizer.bits) + bool(quantizer.keep_negative))
    plain = np.rint(values / safe / step) * step
    if not np.allclose(plain * safe, values, rtol=1e-5, atol=0):
        refuse(layer, f"its {what} takes {kind.bits} bits, and its scale does not explain that")
    return Weights(plain + 0.0, _signed(plain), safe.ravel())


def _signed(values: NDArray[np.float64]) -> FixedPoint:
    kind = grid_of(values)
    return kind if kind.signed else replace(kind, signed=True)


def bits_type(layer: Any, quantizer: Any) -> FixedPoint:
    """Returns the type of a ``quantized_bits`` with ``alpha=1``."""
    check_quantizer(layer, quantizer)
    signed = bool(quantizer.keep_negative)
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    if bits - signed < 1:
        refuse(layer, f"quantized_bits with {bits} bits is a sign; use at least {signed + 1}")
    overflow: Overflow = "SAT_SYM" if signed and quantizer.symmetric else "SAT"
    return FixedPoint(
        signed=signed,
        integer=integer,
        fraction=bits - signed - integer,
        rounding="RND_CONV",
        overflow=overflow,
    )


def check_quantizer(layer: Any, quantizer: Any) -> None:
    """Refuses a quantizer that does not give the same number every time."""
    if quantizer.use_stochastic_rounding:
        refuse(layer, "stochastic rounding cannot be reproduced; switch it off")
    noise = getattr(quantizer, "qnoise_factor", 1)
    if float(noise) != 1:
        refuse(layer, f"qnoise_factor is {float(noise):g}; finish at 1")

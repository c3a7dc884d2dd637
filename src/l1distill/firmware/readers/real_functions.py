"""Finds the sigmoids and tanhs of a QKeras model that are not QKeras' own hard ones."""

from dataclasses import dataclass
from typing import Any

from l1distill.firmware.functions.scalar_functions import FUNCTIONS
from l1distill.firmware.network.fixed_point import FixedPoint, Overflow
from l1distill.firmware.readers.qkeras_weights import check_quantizer
from l1distill.firmware.readers.refusal import refuse


@dataclass(frozen=True, kw_only=True)
class RealFunction:
    """A sigmoid or tanh that is no straight line."""

    function: str
    result_type: FixedPoint | None
    """What its results are rounded to, where the layer says so."""


def real_function(layer: Any) -> RealFunction | None:
    """Return the real sigmoid or tanh that a layer is, if it is one.

    Raises:
        DataError: it has an option that is not supported.
    """
    if type(layer).__name__ == "Activation":
        name = getattr(layer.activation, "__name__", "")
        return RealFunction(function=name, result_type=None) if name in FUNCTIONS else None
    if type(layer).__name__ != "QActivation":
        return None
    quantizer = layer.quantizer
    function = type(quantizer).__name__.removeprefix("quantized_")
    if function not in ("sigmoid", "tanh") or not getattr(quantizer, f"use_real_{function}"):
        return None
    check_quantizer(layer, quantizer)
    signed = FUNCTIONS[function].signed
    if quantizer.symmetric and not signed:
        refuse(layer, "a quantized_sigmoid with symmetric=True is not supported; leave it out")
    overflow: Overflow = "SAT_SYM" if quantizer.symmetric else "SAT"
    fraction = int(quantizer.bits) - signed
    result_type = FixedPoint(signed=signed, integer=0, fraction=fraction, overflow=overflow)
    return RealFunction(function=function, result_type=result_type)

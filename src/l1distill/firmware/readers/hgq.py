"""Reads the proxy models of HGQ (arXiv:2405.00645), with a type of its own for each element.

``HGQ.proxy.to_proxy_model`` makes one of a trained model: layers of Keras whose weights are on
their grids, and a ``FixedPointQuantizer`` behind each. It is what hls4ml takes as well.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn, cast, get_args

import numpy as np

from l1distill.core.errors import DataError
from l1distill.firmware.functions.scalar_functions import Function
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint, Overflow, Rounding, grid_of
from l1distill.firmware.network.layers import Lookup, Quantize, QuantizeElements, UnaryLayer
from l1distill.firmware.readers.refusal import refuse
from l1distill.firmware.readers.untyped import floating_constants

QUANTIZER, TABLE = "FixedPointQuantizer", "UnaryLUT"
"""Classes of layers that only proxy models have."""


class ExactConstants:
    """A :class:`.untyped.TypeChooser` for proxy models, in which every number has its type.

    Weights are plain numbers there: their type is the narrowest that holds them.
    """

    def choose_input_type(self, inputs: int) -> NoReturn:
        """Refuse inputs without a quantizer."""
        raise DataError(
            "the inputs of the proxy model have no type; begin the HGQ model with an HQuantize"
        )

    def begin(self, builder: Builder) -> None:
        """Begin; nothing is kept."""

    def round_constants(self, layer: UnaryLayer, keras_layer: Any) -> UnaryLayer:
        """Return a layer with the narrowest types of its constants."""
        types = {
            f"{name}_type": grid_of(getattr(layer, name)) for name in floating_constants(layer)
        }
        return replace(layer, **cast(Any, types))

    def shorten_constants(self, layer: UnaryLayer, tensor: int) -> UnaryLayer:
        """Return a batch normalization as it is."""
        return layer

    def choose_function_type(self, name: str, tensor: int, function: Function) -> NoReturn:
        """Refuse a function, whose values have no type."""
        raise DataError(
            f"layer {name}: its function is no table; make the proxy with "
            "to_proxy_model(model, unary_lut_max_table_size=1024)"
        )

    def choose_result_type(self, name: str, tensor: int, slope: float) -> NoReturn:
        """Refuse results that no quantizer follows."""
        raise DataError(
            f"layer {name}: no FixedPointQuantizer follows it; make the proxy model anew"
        )


def is_proxy(model: Any) -> bool:
    """Tell a proxy model of HGQ from other models of Keras."""
    return any(type(layer).__name__ == QUANTIZER for layer in model.layers)


def quantizer_types(layer: Any, shape: tuple[int, ...]) -> tuple[FixedPoint, ...]:
    """Return the type of each element behind a ``FixedPointQuantizer``.

    Args:
        layer: has ``keep_negative``, ``bits`` and ``integers``, the sign counted in both, of any
            shape that broadcasts to (1, *shape); and ``RND`` and ``SAT``, as ``ap_fixed`` has them.
        shape: of the tensor without events.

    Raises:
        DataError: it rounds or overflows in a way that is not supported.
    """
    for mode, known in ((layer.RND, get_args(Rounding)), (layer.SAT, get_args(Overflow))):
        if mode not in known:
            refuse(layer, f"{mode} is not supported; use {' or '.join(known)}")
    signs, bits, whole = (
        np.broadcast_to(np.asarray(values, dtype=np.int64), (1, *shape)).ravel().tolist()
        for values in (layer.keep_negative, layer.bits, layer.integers)
    )
    modes = {"rounding": cast(Rounding, layer.RND), "overflow": cast(Overflow, layer.SAT)}
    return tuple(
        FixedPoint(signed=bool(sign), integer=i - sign, fraction=width - i, **cast(Any, modes))
        if width > 0
        else FixedPoint(signed=False, integer=0, fraction=0, **cast(Any, modes))
        for sign, width, i in zip(signs, bits, whole, strict=True)
    )


def quantizer_layer(layer: Any, shape: tuple[int, ...]) -> UnaryLayer:
    """Return the layer that computes a ``FixedPointQuantizer``.

    Raises:
        DataError: see :func:`quantizer_types`.
    """
    types = quantizer_types(layer, shape)
    if len(set(types)) == 1 and types[0].bits:
        return Quantize(layer.name, type=types[0])
    return QuantizeElements(layer.name, types=types)


def table_layers(layer: Any) -> Iterator[UnaryLayer]:
    """Yield the layers that compute a ``UnaryLUT``: negative addresses count from the end."""
    signed, integer, fraction = layer.kif_in
    address_type = FixedPoint(
        signed=False,
        integer=integer + signed,
        fraction=fraction,
        rounding="TRN",
        overflow="WRAP",
    )
    table = np.asarray(layer.table, dtype=np.float64)
    yield Quantize(f"{layer.name}_address", type=address_type)
    yield Lookup(layer.name, address_type=address_type, table=table, table_type=grid_of(table))

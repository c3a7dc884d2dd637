"""Types for what a QKeras model gives none: inputs, weights and results without a quantizer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.calibration import Calibration
from l1distill.compression.integer_bits import (
    HEADROOM,
    TOLERANCE,
    best_integer_bits,
    constant_type,
    result_type,
)
from l1distill.compression.rounding import round_constants
from l1distill.firmware.functions.scalar_functions import Function
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import Affine, UnaryLayer
from l1distill.firmware.readers.untyped import floating_constants

HLS4ML_DEFAULT = FixedPoint(signed=True, integer=5, fraction=10)
"""``fixed<16,6>``, which hls4ml takes where nothing else is said."""
MOST_EVENTS = 2048
"""Events that types of results are chosen on."""
MOST_NUMBERS = 2**19
"""Inputs of these events together: of images fewer, as every tensor of theirs is kept."""
_FEWEST_DIGITS = 12
"""Of an offset behind the point, where the products have fewer."""
_LONGEST = 23
"""Bits of the longest offset, its sign apart."""
_MORE_BITS = 2
"""Bits of a scale beyond those of the results: its rounding costs little beside theirs."""


class AssumedTypes:
    """Chooser of types, see :class:`~l1distill.firmware.readers.untyped.TypeChooser`.

    Attributes:
        rounded: by the name of each layer, what of it was rounded to which type.
        inputs: a sentence on the type of the inputs; None where the model brings it.
    """

    def __init__(
        self,
        bits: int,
        input_type: FixedPoint | None,
        calibration: Calibration,
    ) -> None:
        """Begin without an assumption.

        Args:
            bits: of what is rounded.
            input_type: of inputs that have none in the model; None to choose it.
            calibration: events that ranges are chosen on; those of inputs only on given ones.
        """
        self.rounded: dict[str, list[str]] = {}
        self.inputs: str | None = None
        self._bits = bits
        self._input_type = input_type
        self._calibration = calibration
        self._builder: Builder | None = None
        self._tensors: list[NDArray[np.float64]] = []

    def choose_input_type(self, inputs: int) -> tuple[FixedPoint, tuple[int, ...]]:
        """Return the type of all inputs, and the exponents that give each a range of its own."""
        if self._input_type is not None:
            self.inputs = f"precision.input says {self._input_type.hls}"
            return self._input_type, ()
        if self._calibration.is_assumed:
            self.inputs = (
                f"{HLS4ML_DEFAULT.hls} was assumed, hls4ml's default; precision.input= names "
                "another, and events= or precision.calibration= let it be chosen"
            )
            return HLS4ML_DEFAULT, ()
        self.inputs = f"{self._bits} bits, each in the range that the calibration events have"
        events = self._calibration.events()
        integers = best_integer_bits(events, self._bits, tolerance=TOLERANCE, headroom=HEADROOM)
        fixed_type = FixedPoint(signed=True, integer=0, fraction=self._bits - 1)
        return fixed_type, tuple(integers.tolist())

    def begin(self, builder: Builder) -> None:
        """Begin with the inputs of a network."""
        self._builder = builder

    def round_constants(self, layer: UnaryLayer, keras_layer: Any) -> UnaryLayer:
        """Return a layer with constants of ``bits`` bits where they are in floating point."""
        names = floating_constants(layer)
        rounded = round_constants(layer, self._choose_constant_type)
        assert isinstance(rounded, UnaryLayer)
        for name in names:
            word = "bias" if name == "offset" else name
            kept = self.rounded.setdefault(keras_layer.name, [])
            kept.append(f"{word} {_bare(getattr(rounded, f'{name}_type'))}")
        return rounded

    def shorten_constants(self, layer: UnaryLayer, tensor: int) -> UnaryLayer:
        """Return a batch normalization whose scales have few digits, each its own."""
        assert isinstance(layer, Affine)
        digits = self._bits + _MORE_BITS
        self.rounded.setdefault(layer.name, []).append(f"scale {digits} digits")
        scale = significant(layer.scale, digits)
        # in the middle of the events nothing changes, however far from zero that is
        values = self._values(tensor)
        center = values.mean(axis=tuple(range(values.ndim - 1)))
        offset = layer.offset + (layer.scale - scale) * center
        assert self._builder is not None
        products = self._builder.value_ranges[tensor].fraction + grid_of(scale).fraction
        room = _LONGEST - int(np.frexp(np.abs(offset).max())[1])
        fraction = min(max(products, _FEWEST_DIGITS), room)
        grid = FixedPoint(signed=True, integer=64, fraction=fraction)
        return Affine.exact(layer.name, scale, grid.quantize(offset))

    def choose_result_type(self, name: str, tensor: int, slope: float) -> FixedPoint:
        """Return a type of ``bits`` bits for a tensor's numbers behind a ReLU."""
        return self._choose_type(name, self._values(tensor), slope != 0, slope)

    def choose_function_type(self, name: str, tensor: int, function: Function) -> FixedPoint:
        """Return a type of ``bits`` bits for the values of a function that has no limit."""
        return self._choose_type(name, function.values(self._values(tensor)), function.signed)

    def _choose_type(
        self, name: str, values: NDArray[np.float64], signed: bool, slope: float = 1.0
    ) -> FixedPoint:
        chosen = result_type(values, self._bits, signed, slope)
        self.rounded.setdefault(name, []).append(f"results {_bare(chosen)}")
        return chosen

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the model card about what was assumed."""
        notes = []
        if self.inputs is not None:
            notes.append(f"The model names no type for its inputs: {self.inputs}.")
        if self.rounded:
            layers = "; ".join(f"{name}: {', '.join(what)}" for name, what in self.rounded.items())
            notes.append(
                "What has no quantizer in the model was rounded to "
                f"precision.bits={self._bits}: {layers}."
            )
        return tuple(notes)

    def _values(self, tensor: int) -> NDArray[np.float64]:
        """Compute a tensor of the calibration events, and those before it."""
        builder = self._builder
        assert builder is not None
        if not self._tensors:
            input_type = builder.input_type
            units = np.ldexp(1.0, builder.input_exponents or (0,) * builder.inputs)
            number = min(MOST_EVENTS, max(MOST_NUMBERS // builder.inputs, 1))
            events = self._calibration.events(input_type, units)[:number]
            self._tensors.append(input_type.quantize(events / units))
        for number in range(len(self._tensors) - 1, tensor):
            taken = (self._tensors[source] for source in builder.sources[number])
            self._tensors.append(builder.layers[number].apply(*taken))
        return self._tensors[tensor]

    def _choose_constant_type(self, constants: NDArray[np.float64]) -> FixedPoint:
        return constant_type(constants, self._bits)


def significant(values: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Round each number to so many binary digits, wherever its point is."""
    mantissas, exponents = np.frexp(values)
    result: NDArray[np.float64] = np.ldexp(np.rint(mantissas * 2.0**digits), exponents - digits)
    return result


def _bare(fixed_type: FixedPoint) -> str:
    return fixed_type.hls.replace(f",{fixed_type.rounding},{fixed_type.overflow}", "")

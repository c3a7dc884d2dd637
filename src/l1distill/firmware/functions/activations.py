"""Sigmoid and tanh between the layers of a network, made of straight pieces."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.functions.argmax import one_hot
from l1distill.firmware.functions.piecewise_linear import Pieces, evaluated, fit_pieces
from l1distill.firmware.network.fixed_point import FixedPoint, grid_of, smallest_type
from l1distill.firmware.network.layers import Conv2D, Dense, Quantize, Reshape, UnaryLayer
from l1distill.firmware.network.value_range import ValueRange

Array = NDArray[np.float64]
_FINEST = 12
"""Most digits behind the point of what goes into a function."""


class Function(NamedTuple):
    """A rising function with a limit at either end."""

    values: Callable[[Array], Array]
    steepest: float
    """Its largest slope."""
    integer: int
    """Beyond ``2**integer`` it is within a thousandth of its limits."""
    signed: bool


def _sigmoid(x: Array) -> Array:
    result: Array = 0.5 * (1 + np.tanh(0.5 * x))
    return result


FUNCTIONS: Mapping[str, Function] = {
    "sigmoid": Function(_sigmoid, 0.25, 3, signed=False),
    "tanh": Function(np.tanh, 1.0, 2, signed=True),
}


class Curves:
    """Makes layers of the functions of a network, and keeps how far off each is.

    Attributes:
        bits: of what a function gives, where nobody else says.
        pieces: most pieces of each.
        softmax: what stands for one at an end: a 1 for the largest number; None for nothing.
        errors: by the name of a layer, the largest difference from its function.
        classes: names of layers that give a 1 for the largest number.
    """

    def __init__(
        self, bits: int, pieces: int = 16, softmax: Literal["argmax"] | None = None
    ) -> None:
        """Begins without a function."""
        self.softmax = softmax
        self.classes: list[str] = []
        self.bits = bits
        self.pieces = pieces
        self.errors: dict[str, float] = {}

    def layers(
        self, name: str, function: str, tensor: ValueRange, kind: FixedPoint | None = None
    ) -> list[UnaryLayer]:
        """Returns the layers that compute one of :data:`FUNCTIONS` of each number.

        Args:
            name: of the last of them, and the beginning of the others' names.
            function: which.
            tensor: what goes in.
            kind: what the results are rounded to; between the function's limits if None.
        """
        found = FUNCTIONS[function]
        if kind is None:
            kind = FixedPoint(signed=found.signed, integer=0, fraction=self.bits - found.signed)
        made: list[UnaryLayer] = []
        # far from zero, and far behind the point, the results do not change any more
        reach = found.integer + (kind.fraction > 10 - found.signed)
        fraction = min(tensor.fraction, kind.fraction + 2, _FINEST)
        narrow = FixedPoint(signed=True, integer=reach, fraction=fraction)
        rounded = 0.0
        if (
            fraction < tensor.fraction
            or narrow.low > tensor.low.min()
            or (narrow.high < tensor.high.max())
        ):
            rounded = found.steepest * narrow.step / 2 if fraction < tensor.fraction else 0.0
            made.append(Quantize(f"{name}_in", type=narrow))
        span = _after(made, tensor)
        low, high = float(span.low.min()), float(span.high.max())
        codes = np.arange(low, high + narrow.step / 2, narrow.step)
        wanted = found.values(codes)
        pieces = fit_pieces(codes, wanted, self.pieces, np.ones_like(wanted), kind.step / 8)
        made += _hinges(name, pieces, span)
        made.append(Quantize(name, type=kind))
        # a number that has been clipped gives what the end of the range gives
        at_ends = kind.quantize(evaluated(pieces, codes[[0, -1]]))
        outside = found.values(np.array([tensor.low.min(), tensor.high.max()]))
        inside = np.abs(kind.quantize(evaluated(pieces, codes)) - wanted).max()
        self.errors[name] = float(max(inside, np.abs(at_ends - outside).max())) + rounded
        return made

    def one_hot(self, layer: Any, name: str, tensor: ValueRange) -> list[UnaryLayer]:
        """Returns what stands for a softmax; see :func:`.argmax.one_hot`."""
        self.classes.append(name)
        return one_hot(layer, name, tensor)

    @property
    def said(self) -> tuple[str, ...]:
        """A sentence about each function."""
        off = (
            f"Layer {name} is made of straight pieces: it is off by at most {error:.2g}."
            for name, error in self.errors.items()
        )
        largest = (
            f"Layer {name} gives a 1 for the largest number, the first of equal ones, and a 0 for "
            "all others; the model has a softmax there."
            for name in self.classes
        )
        return (*off, *largest)


def _hinges(name: str, pieces: Pieces, tensor: ValueRange) -> list[UnaryLayer]:
    """Returns the layers that compute the pieces of every number of a tensor."""
    channels, number = tensor.shape[-1], len(pieces.knots)
    kept = np.flatnonzero(pieces.slopes) if pieces.slopes.any() else np.arange(number)
    knots, slopes = pieces.knots[kept], pieces.slopes[kept]
    spread = np.repeat(np.eye(channels), len(kept), axis=1)
    below = np.tile(-knots, channels) + 0.0
    gathered = np.kron(np.eye(channels), slopes[:, None])
    start = np.full(channels, pieces.start)
    made: list[UnaryLayer] = []
    for what, kernel, bias in (("hinges", spread, below), ("sums", gathered, start)):
        types: dict[str, Any] = {"kernel_type": grid_of(kernel), "bias_type": grid_of(bias)}
        if len(tensor.shape) == 1:
            made.append(Dense(f"{name}_{what}", kernel=kernel, bias=bias, **types))
        else:
            made.append(Conv2D(f"{name}_{what}", kernel=kernel[None, None], bias=bias, **types))
    if len(tensor.shape) == 2:
        made.insert(0, Reshape(f"{name}_image", shape=(tensor.shape[0], 1, channels)))
        made.append(Reshape(f"{name}_sequence", shape=tensor.shape))
    until = next(n for n, layer in enumerate(made) if layer.name == f"{name}_sums")
    before = _after(made[:until], tensor)
    positive = smallest_type(0.0, max(float(before.high.max()), 0.0), before.fraction)
    positive = replace(positive, rounding="TRN", integer=max(positive.integer, 1 - before.fraction))
    made.insert(until, Quantize(f"{name}_positive", type=positive))
    return made


def _after(layers: list[UnaryLayer], tensor: ValueRange) -> ValueRange:
    for layer in layers:
        tensor = layer.value_range(tensor)
    return tensor

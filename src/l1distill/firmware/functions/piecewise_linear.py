"""Functions made of straight pieces: hinges, which are all that adders need."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import ONE, FixedPoint, grid_of
from l1distill.firmware.network.layers import Dense, Quantize

MOST_DIGITS = 20
"""Of the slopes of a function, behind the point."""


class Pieces(NamedTuple):
    """``start + sum(slopes * max(0, v - knots))``."""

    knots: NDArray[np.float64]
    slopes: NDArray[np.float64]
    start: float
    highest: float
    """The largest value at the points that it was fitted at."""
    error: float
    """The largest difference there, over the weight of the point."""


def fit_pieces(
    v: NDArray[np.float64],
    function: NDArray[np.float64],
    number: int,
    weight: NDArray[np.float64] | None = None,
    enough: float = 2.0**-8,
) -> Pieces:
    """Fits straight pieces to a function.

    Args:
        v: (points,) in rising order.
        function: (points,) its values.
        number: most pieces.
        weight: (points,) what the error at a point is divided by; 1 plus the function if None,
            which must not be negative then.
        enough: an error that need not be made smaller.

    Returns:
        The pieces, with constants in few bits that make the error at most a quarter larger.
    """
    ends = [0, len(v) - 1] if len(v) > 1 else [0]
    weight = 1 + function if weight is None else weight
    while len(ends) <= number:
        apart = np.abs(np.interp(v, v[ends], function[ends]) - function) / weight
        if not apart.max():
            break
        ends = sorted({*ends, int(apart.argmax())})
    apart = np.abs(np.interp(v, v[ends], function[ends]) - function) / weight
    allowed = max(1.25 * float(apart.max()), enough)
    for fraction in range(MOST_DIGITS + 1):
        pieces = _rounded(v, function, ends, fraction, weight)
        if pieces.error <= allowed:
            break
    return pieces


def _rounded(
    v: NDArray[np.float64],
    function: NDArray[np.float64],
    ends: list[int],
    fraction: int,
    weight: NDArray[np.float64],
) -> Pieces:
    """Rounds slopes one after the other, each making up for those before it."""
    unit = 2.0**fraction
    start = value = float(np.rint(function[0] * unit) / unit)
    slopes = []
    for left, right in pairwise(ends):
        run = v[right] - v[left]
        slopes.append(float(np.rint((function[right] - value) / run * unit) / unit))
        value += slopes[-1] * float(run)
    changes = np.diff(np.array(slopes), prepend=0.0)
    pieces = Pieces(v[ends[:-1]], changes, start, 0.0, 0.0)
    fitted = evaluated(pieces, v)
    error = float((np.abs(fitted - function) / weight).max())
    return pieces._replace(highest=float(fitted.max()), error=error)


def evaluated(pieces: Pieces, v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (points,) what the pieces give for (points,) numbers."""
    hinges = np.maximum(v[:, None] - pieces.knots, 0.0)
    result: NDArray[np.float64] = pieces.start + hinges @ pieces.slopes
    return result


def add_hinges(builder: Builder, name: str, pieces: Pieces, tensor: int) -> int:
    """Appends the hinges of a function of each element; their weighted sum is the function.

    Args:
        builder: appended to.
        name: what the layers' names begin with.
        pieces: the function.
        tensor: of (n,) elements.

    Returns:
        The tensor of (n * pieces,) hinges, those of an element side by side.
    """
    elements, number = builder.value_ranges[tensor].size, len(pieces.knots)
    copies = np.kron(np.eye(elements), np.ones((1, number)))
    knots = -np.tile(pieces.knots, elements)
    builder.add(
        Dense(
            f"{name}_hinges", kernel=copies, bias=knots, kernel_type=ONE, bias_type=grid_of(knots)
        ),
        tensor,
    )
    before = builder.value_ranges[-1]
    positive = FixedPoint(
        signed=False,
        integer=before.type.integer,
        fraction=before.fraction,
        rounding="TRN",
        overflow="SAT",
    )
    return builder.add(Quantize(f"{name}_positive", type=positive))

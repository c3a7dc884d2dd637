"""The reconstruction error behind an autoencoder, in the layers of the network itself."""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.layers import Affine, Dense, Square, Subtract

SHARE_DIGITS = 12
"""A sum is divided by the number of its terms within 2 to the power of minus this."""


class ErrorHead(Protocol):
    """What appends the error of an autoencoder, of which a task may have a definition of its own.

    :func:`add_mean_square_error` is one, for an autoencoder that reconstructs its inputs.
    """

    def __call__(
        self, builder: Builder, input_units: NDArray[np.float64], pieces: int | None, /
    ) -> str:
        """Append the layers of the error, which end in one number.

        Args:
            builder: holds an autoencoder, whose outputs are its last tensor.
            input_units: (inputs,) what a 1 at each input port stands for.
            pieces: most straight pieces of a function in it; the head's own choice if None.

        Returns:
            The score in words, with how far it may be off.

        Raises:
            ConfigError: the network is none that this error is defined for.
        """


def add_mean_square_error(
    builder: Builder, input_units: NDArray[np.float64], _: int | None = None
) -> str:
    """Append the mean square of outputs less inputs; an :class:`ErrorHead`.

    Args:
        builder: holds an autoencoder, whose outputs are its last tensor.
        input_units: (inputs,) what a 1 at each input port stands for.

    Returns:
        The score in words.
    """
    outputs = builder.last
    inputs = 0
    if np.any(input_units != 1.0):
        inputs = builder.add(Affine.exact("score_inputs", input_units), inputs)
    builder.add(Subtract("score_differences"), outputs, inputs)
    share = add_mean_square(builder, len(input_units))
    return f"mean square of outputs less inputs, {share} of it"


def add_mean_square(builder: Builder, number: int) -> str:
    """Append the sum of the squares of the last tensor, divided by a number.

    Args:
        builder: appended to.
        number: what the sum is divided by, as nearly as :data:`SHARE_DIGITS` allow.

    Returns:
        In words, how near that division is, as a share of the mean.
    """
    builder.add(Square("score_squares"))
    builder.add(Dense.exact("score_sum", np.ones((builder.value_ranges[-1].size, 1))))
    mantissa, power = math.frexp(1 / number)
    share = np.array([[math.ldexp(round(mantissa * 2**SHARE_DIGITS), power - SHARE_DIGITS)]])
    builder.add(Dense.exact("score_mean", share))
    return f"and {abs(share[0, 0] * number - 1):.2g}"

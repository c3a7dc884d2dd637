"""The error of an autoencoder behind it: its inputs go round the network to its end."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError
from l1distill.firmware.functions.piecewise_linear import add_hinges, fit_pieces
from l1distill.firmware.network.builder import Builder, select
from l1distill.firmware.network.fixed_point import BIT, ONE, FixedPoint, grid_of
from l1distill.firmware.network.layers import (
    Affine,
    Concatenate,
    Dense,
    Multiply,
    Quantize,
    Square,
    Subtract,
)
from l1distill.tasks.anomaly.events import ETA_LIMITS, MET, N_OBJECTS
from l1distill.tasks.anomaly.standardization import Standardization

TARGET_FRACTION = 8
"""Bits behind the point of what is compared: of a standard deviation, or of a radian."""
ANGLE = FixedPoint(signed=True, integer=2, fraction=6)
"""What the tanh of eta and phi is taken of; from 4 on it is 1 within 0.0007."""
SHARE_DIGITS = 12
"""The sum is divided by how many numbers it is of within 2 to the power of minus this."""


def square_error(builder: Builder, units: NDArray[np.float64]) -> str:
    """Appends the mean square of what a network gives less what it takes.

    Args:
        builder: holds an autoencoder.
        units: (inputs,) what a 1 at an input port stands for.

    Returns:
        The score in words.
    """
    end = builder.last
    inputs = 0
    if np.any(units != 1.0):
        zeros = np.zeros_like(units)
        inputs = builder.add(
            Affine(
                "score_inputs",
                scale=units,
                offset=zeros,
                scale_type=grid_of(units),
                offset_type=grid_of(zeros),
            ),
            inputs,
        )
    builder.add(Subtract("score_differences"), end, inputs)
    share = _mean_square(builder, len(units))
    return f"mean square of outputs less inputs, {share} of it"


def square_error_of_objects(
    builder: Builder, units: NDArray[np.float64], standardization: Standardization, pieces: int
) -> str:
    """Appends the error of an event as ``losses.reconstruction_error`` defines it.

    Targets are standardized pT, eta and phi; eta and phi of the network pass through a tanh, made
    of straight pieces; what is absent, and the eta of MET, counts as exact.

    Args:
        builder: holds an autoencoder of 19 objects.
        units: (57,) what a 1 at an input port stands for.
        standardization: of the training split.
        pieces: most of them in the tanh.

    Returns:
        The score in words.

    Raises:
        DataError: it is none of 19 objects.
    """
    end, number = builder.last, 3 * N_OBJECTS
    if len(units) != number:
        raise DataError(
            f"score.kind=mse: the model came with a standardization of {N_OBJECTS} objects but "
            f"takes {len(units)} numbers, not {number}"
        )
    objects = np.arange(N_OBJECTS)
    momenta = 3 * objects
    etas = np.delete(3 * objects + 1, MET)
    angles = np.concatenate([etas, 3 * objects + 2])
    which = np.concatenate([momenta, angles])
    limits = _limits()[angles]
    target, off_target = _target(builder, units, standardization, which)
    there = _presence(builder, momenta, which // 3)
    tanh, off_tanh = _angles(builder, end, angles, limits, pieces)
    momentum = builder.add(select("score_momenta", momenta.tolist(), number), end)
    joined = builder.add(Concatenate("score_reconstruction", axis=0), momentum, tanh)
    kind = builder.value_ranges[joined].type
    reconstructed = builder.add(
        Quantize("score_rounded", type=replace(kind, fraction=TARGET_FRACTION)), joined
    )
    builder.add(Subtract("score_differences"), target, reconstructed)
    builder.add(Multiply("score_present"), builder.last, there)
    share = _mean_square(builder, number)
    half = 2.0 ** -(TARGET_FRACTION + 1)
    off = off_target + off_tanh + half
    return (
        f"mean squared error of pT, eta and phi, each difference off by at most {off:.2g}, "
        f"{share} of it"
    )


def _limits() -> NDArray[np.float64]:
    """What a tanh is multiplied with: (57,), of use for eta and phi."""
    limits = np.full((N_OBJECTS, 3), math.pi)
    for slots, limit in ETA_LIMITS.values():
        limits[slots, 1] = limit
    return limits.ravel()


def _target(
    builder: Builder,
    units: NDArray[np.float64],
    standardization: Standardization,
    which: NDArray[np.int64],
) -> tuple[int, float]:
    """Appends what is to be reconstructed; returns its tensor and how far it may be off."""
    exact = np.ones(len(units))
    offsets = np.zeros(len(units))
    exact[::3] = 1.0 / np.asarray(standardization.pt_std)
    offsets[::3] = -np.asarray(standardization.pt_mean) * exact[::3]
    # to 12 digits of each, wherever they begin
    mantissas, powers = np.frexp(exact)
    scale = np.ldexp(np.rint(mantissas * 2.0**SHARE_DIGITS), powers - SHARE_DIGITS)
    fine = FixedPoint(signed=True, integer=40, fraction=TARGET_FRACTION + 2)
    offset = fine.quantize(offsets)
    ports = builder.value_ranges[0].magnitude
    off = np.abs(scale - exact) * units * ports + np.abs(offset - offsets)
    kernel = np.diag(scale * units)[:, which]
    bias = offset[which]
    builder.add(
        Dense(
            "score_target",
            kernel=kernel,
            bias=bias,
            kernel_type=grid_of(kernel),
            bias_type=grid_of(bias),
        ),
        0,
    )
    kind = replace(builder.value_ranges[-1].type, fraction=TARGET_FRACTION)
    found = builder.add(Quantize("score_target_rounded", type=kind))
    return found, float(off.max()) + kind.step / 2


def _presence(builder: Builder, momenta: NDArray[np.int64], objects: NDArray[np.int64]) -> int:
    """Appends a bit for each number: whether there is the object that it is of."""
    ports = builder.value_ranges[0]
    kernel = np.eye(ports.low.size)[:, momenta] * 2.0**ports.fraction  # in steps of the port
    zeros = np.zeros(len(momenta))
    builder.add(
        Dense(
            "score_steps",
            kernel=kernel,
            bias=zeros,
            kernel_type=grid_of(kernel),
            bias_type=grid_of(zeros),
        ),
        0,
    )
    builder.add(Quantize("score_there", type=BIT))
    return builder.add(select("score_mask", objects.tolist(), len(momenta)))


def _angles(
    builder: Builder, end: int, which: NDArray[np.int64], limits: NDArray[np.float64], pieces: int
) -> tuple[int, float]:
    """Appends the tanh of some outputs times limits; returns its tensor and how far it is off."""
    outputs = builder.value_ranges[end].size
    builder.add(select("score_angles", which.tolist(), outputs), end)
    builder.add(Quantize("score_angles_rounded", type=ANGLE))
    below = np.full(len(which), -ANGLE.low)
    ones = np.ones(len(which))
    above = builder.add(
        Affine("score_above", scale=ones, offset=below, scale_type=ONE, offset_type=grid_of(below))
    )
    distance = np.arange(0.0, ANGLE.high - ANGLE.low + ANGLE.step, ANGLE.step)
    found = fit_pieces(distance, np.tanh(distance + ANGLE.low) + 1, pieces)
    hinges = add_hinges(builder, "score_tanh", found, above)
    slopes = np.kron(np.diag(limits), found.slopes[:, None])
    grid = FixedPoint(signed=True, integer=40, fraction=SHARE_DIGITS)
    kernel, bias = grid.quantize(slopes), grid.quantize(limits * (found.start - 1))
    tanh = builder.add(
        Dense(
            "score_tanh",
            kernel=kernel,
            bias=bias,
            kernel_type=grid_of(kernel),
            bias_type=grid_of(bias),
        ),
        hinges,
    )
    computed = np.maximum(distance[:, None] - found.knots, 0.0)
    off = 0.0
    for number, limit in enumerate(limits.tolist()):
        own = slice(number * len(found.knots), (number + 1) * len(found.knots))
        values = computed @ kernel[own, number] + bias[number]
        off = max(off, float(np.abs(values - limit * np.tanh(distance + ANGLE.low)).max()))
    beyond = 1 - math.tanh(ANGLE.high)
    return tanh, off + float(limits.max()) * (ANGLE.step / 2 + beyond)


def _mean_square(builder: Builder, number: int) -> str:
    """Appends the sum of squares over ``number``; says how near that division is."""
    builder.add(Square("score_squares"))
    terms = builder.value_ranges[-1].size
    builder.add(
        Dense(
            "score_sum",
            kernel=np.ones((terms, 1)),
            bias=np.zeros(1),
            kernel_type=ONE,
            bias_type=ONE,
        )
    )
    mantissa, power = math.frexp(1 / number)
    share = np.array([[math.ldexp(round(mantissa * 2**SHARE_DIGITS), power - SHARE_DIGITS)]])
    builder.add(
        Dense(
            "score_mean", kernel=share, bias=np.zeros(1), kernel_type=grid_of(share), bias_type=ONE
        )
    )
    return f"and {abs(share[0, 0] * number - 1):.2g}"

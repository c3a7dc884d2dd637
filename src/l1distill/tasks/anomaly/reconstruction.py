"""The reconstruction error of our autoencoders as firmware: targets are standardized."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.firmware.functions.error_head import SHARE_DIGITS, add_mean_square
from l1distill.firmware.functions.piecewise_linear import add_hinges, fit_piecewise_linear
from l1distill.firmware.network.builder import Builder, select
from l1distill.firmware.network.fixed_point import BIT, FixedPoint
from l1distill.firmware.network.layers import (
    Affine,
    Concatenate,
    Dense,
    Multiply,
    Quantize,
    Subtract,
)
from l1distill.tasks.anomaly.events import ETA_LIMITS, MET, N_OBJECTS
from l1distill.tasks.anomaly.standardization import Standardization

N_NUMBERS = 3 * N_OBJECTS
TARGET_FRACTION = 8
"""Bits behind the point of what is compared: of a standard deviation, or of a radian."""
ANGLE = FixedPoint(signed=True, integer=2, fraction=6)
"""What the tanh of eta and phi is taken of; from 4 on it is 1 within 0.0007."""
TANH_PIECES = 12


@dataclass(frozen=True, kw_only=True)
class ObjectsErrorHead:
    """The error of an event as ``losses.reconstruction_error`` defines it.

    It is an :class:`~l1distill.firmware.functions.error_head.ErrorHead`. Targets are standardized
    pT, eta and phi; eta and phi of the network pass through a tanh, made of straight pieces; what
    is absent, and the eta of MET, counts as exact.
    """

    standardization: Standardization
    """Of the training split."""

    def __call__(
        self, builder: Builder, input_units: NDArray[np.float64], pieces: int | None
    ) -> str:
        """Append the layers of the error.

        Args:
            builder: holds an autoencoder of 19 objects.
            input_units: (57,) what a 1 at an input port stands for.
            pieces: most of them in the tanh; :data:`TANH_PIECES` if None.

        Returns:
            The score in words.

        Raises:
            ConfigError: the network is none of 19 objects.
        """
        outputs = builder.last
        if len(input_units) != N_NUMBERS:
            raise ConfigError(
                f"score.kind=mse: the model came with a standardization of {N_OBJECTS} objects but "
                f"takes {len(input_units)} numbers, not {N_NUMBERS}"
            )
        momenta = 3 * np.arange(N_OBJECTS)
        etas = np.delete(momenta + 1, MET)
        angles = np.concatenate([etas, momenta + 2])
        numbers = np.concatenate([momenta, angles])
        target, target_error = _add_target(builder, input_units, self.standardization, numbers)
        presence = _add_presence(builder, momenta, numbers // 3)
        tanh, tanh_error = _add_tanh(
            builder, outputs, angles, _tanh_limits()[angles], pieces or TANH_PIECES
        )
        momentum = builder.add(select("score_momenta", momenta.tolist(), N_NUMBERS), outputs)
        joined = builder.add(Concatenate("score_reconstruction", axis=0), momentum, tanh)
        rounded_type = replace(builder.value_ranges[joined].type, fraction=TARGET_FRACTION)
        rounded = builder.add(Quantize("score_rounded", type=rounded_type), joined)
        builder.add(Subtract("score_differences"), target, rounded)
        builder.add(Multiply("score_present"), builder.last, presence)
        share = add_mean_square(builder, N_NUMBERS)
        error = target_error + tanh_error + rounded_type.step / 2
        return (
            f"mean squared error of pT, eta and phi, each difference off by at most {error:.2g}, "
            f"{share} of it"
        )


def _tanh_limits() -> NDArray[np.float64]:
    """Return what the tanh is multiplied with: (57,), of use for eta and phi."""
    limits = np.full((N_OBJECTS, 3), math.pi)
    for slots, limit in ETA_LIMITS.values():
        limits[slots, 1] = limit
    return limits.ravel()


def _add_target(
    builder: Builder,
    input_units: NDArray[np.float64],
    standardization: Standardization,
    numbers: NDArray[np.int64],
) -> tuple[int, float]:
    """Append the target of the reconstruction; return its tensor and how far it may be off."""
    exact = np.ones(len(input_units))
    exact_offset = np.zeros(len(input_units))
    exact[::3] = 1.0 / np.asarray(standardization.pt_std)
    exact_offset[::3] = -np.asarray(standardization.pt_mean) * exact[::3]
    # to 12 digits of each, wherever they begin
    mantissas, powers = np.frexp(exact)
    scale = np.ldexp(np.rint(mantissas * 2.0**SHARE_DIGITS), powers - SHARE_DIGITS)
    fine_type = FixedPoint(signed=True, integer=40, fraction=TARGET_FRACTION + 2)
    offset = fine_type.quantize(exact_offset)
    largest = builder.value_ranges[0].magnitude * input_units
    error = np.abs(scale - exact) * largest + np.abs(offset - exact_offset)
    kernel = np.diag(scale * input_units)[:, numbers]
    builder.add(Dense.exact("score_target", kernel, offset[numbers]), 0)
    target_type = replace(builder.value_ranges[-1].type, fraction=TARGET_FRACTION)
    target = builder.add(Quantize("score_target_rounded", type=target_type))
    return target, float(error.max()) + target_type.step / 2


def _add_presence(builder: Builder, momenta: NDArray[np.int64], objects: NDArray[np.int64]) -> int:
    """Append a bit for each number: whether there is the object that it is of."""
    ports = builder.value_ranges[0]
    kernel = np.eye(ports.size)[:, momenta] * 2.0**ports.fraction  # in steps of the port
    builder.add(Dense.exact("score_steps", kernel), 0)
    builder.add(Quantize("score_there", type=BIT))
    return builder.add(select("score_mask", objects.tolist(), len(momenta)))


def _add_tanh(
    builder: Builder,
    outputs: int,
    angles: NDArray[np.int64],
    limits: NDArray[np.float64],
    pieces: int,
) -> tuple[int, float]:
    """Append the tanh of some outputs times limits; return its tensor and how far it is off."""
    builder.add(
        select("score_angles", angles.tolist(), builder.value_ranges[outputs].size), outputs
    )
    builder.add(Quantize("score_angles_rounded", type=ANGLE))
    lowest = np.full(len(angles), -ANGLE.low)
    above = builder.add(Affine.exact("score_above", np.ones(len(angles)), lowest))
    distance = np.arange(0.0, ANGLE.high - ANGLE.low + ANGLE.step, ANGLE.step)
    tanh = np.tanh(distance + ANGLE.low)
    fitted = fit_piecewise_linear(distance, tanh + 1, pieces).function
    hinges = add_hinges(builder, "score_tanh", fitted, above)
    grid = FixedPoint(signed=True, integer=40, fraction=SHARE_DIGITS)
    kernel = grid.quantize(np.kron(np.diag(limits), fitted.slopes[:, None]))
    bias = grid.quantize(limits * (fitted.start - 1))
    tensor = builder.add(Dense.exact("score_tanh", kernel, bias), hinges)
    computed = np.maximum(distance[:, None] - fitted.knots, 0.0)
    error = 0.0
    for number, limit in enumerate(limits.tolist()):
        own = slice(number * len(fitted.knots), (number + 1) * len(fitted.knots))
        values = computed @ kernel[own, number] + bias[number]
        error = max(error, float(np.abs(values - limit * tanh).max()))
    beyond = 1 - math.tanh(ANGLE.high)
    return tensor, error + float(limits.max()) * (ANGLE.step / 2 + beyond)

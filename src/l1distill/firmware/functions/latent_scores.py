"""Anomaly scores of a VAE's latent space, in the layers of the network itself.

Definitions are those of Govorkova et al. (arXiv:2108.03986), section IV. The exponential of a
log-variance is a piecewise linear function of the square of its distance from one of its ends:
squares, hinges and sums are all that a score takes.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.functions.piecewise_linear import add_hinges, fit_piecewise_linear
from l1distill.firmware.network.builder import Builder, select
from l1distill.firmware.network.fixed_point import FixedPoint, smallest_type
from l1distill.firmware.network.layers import Add, Affine, Dense, Multiply, Quantize, Square

HIGHEST_LOG_VARIANCE = 16.0
"""Of which there is an exponential: it is 9 million."""
MOST_CODE_BITS = 11
"""Of a log-variance; those of more are rounded."""
EXPONENTIAL_PIECES = 32
PRECISION_BITS = 24
"""Of 1 over a variance."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What the layers that have been appended compute."""

    description: str
    highest: float | None = None
    """The largest value, where that is less than the value range of the layers."""


def add_sum_of_squares(builder: Builder, latent: int) -> Score:
    """Append the sum of the squares of the means.

    Args:
        builder: holds an encoder.
        latent: how many of its outputs, from the first, are means.
    """
    outputs = builder.value_ranges[-1].size
    of_means = (np.arange(outputs) < latent).astype(np.float64)[:, None]
    builder.add(Square("score_squares"))
    builder.add(Dense.exact("score_sum", of_means))
    return Score(description="sum of the squares of the means of the latent space")


def add_kl_divergence(builder: Builder, latent: int, pieces: int | None) -> Score:
    """Append D_KL, half the sum of mu^2 and of exp(l) - l - 1 for each log-variance l (eq. 2).

    Args:
        builder: holds an encoder, whose outputs are means and as many log-variances.
        latent: how many of each.
        pieces: most straight pieces; :data:`EXPONENTIAL_PIECES` if None.
    """
    parts = _add_latent_parts(builder, latent, from_above=False)
    logs = parts.log_variances
    values = np.exp(logs) - logs - 1
    fit = fit_piecewise_linear((logs - logs[0]) ** 2, values, pieces or EXPONENTIAL_PIECES)
    hinges = add_hinges(builder, "score", fit.function, parts.distances)
    squares = builder.add(Dense.exact("score_of_means", np.full((latent, 1), 0.5)), parts.squares)
    weights = 0.5 * np.tile(fit.function.slopes, latent)[:, None]
    start = np.array([0.5 * latent * fit.function.start])
    builder.add(Dense.exact("score_pieces", weights, start), hinges)
    highest = float(builder.value_ranges[squares].high[0]) + latent * fit.highest / 2
    builder.add(Add("score_sum"), squares, builder.last)
    description = (
        f"D_KL of the latent space{parts.note}, off by at most {100 * fit.error:.2g}% of itself "
        f"and {fit.error * latent / 2:.2g} before it is rounded"
    )
    return Score(description=description, highest=highest)


def add_origin_z_score(builder: Builder, latent: int, pieces: int | None) -> Score:
    """Append R_z, the sum of mu^2 exp(-l) for each log-variance l (eq. 3).

    Args:
        builder: holds an encoder, whose outputs are means and as many log-variances.
        latent: how many of each.
        pieces: most straight pieces; :data:`EXPONENTIAL_PIECES` if None.
    """
    parts = _add_latent_parts(builder, latent, from_above=True)
    logs = parts.log_variances
    distances, values = (logs - logs[-1])[::-1] ** 2, np.exp(-logs)[::-1]
    fit = fit_piecewise_linear(distances, values, pieces or EXPONENTIAL_PIECES)
    hinges = add_hinges(builder, "score", fit.function, parts.distances)
    weights = np.kron(np.eye(latent), fit.function.slopes[:, None])
    start = np.full(latent, fit.function.start)
    builder.add(Dense.exact("score_pieces", weights, start), hinges)
    integer = smallest_type(0.0, fit.highest, 0).integer
    precision_type = FixedPoint(signed=False, integer=integer, fraction=PRECISION_BITS - integer)
    precisions = builder.add(Quantize("score_precisions", type=precision_type))
    builder.add(Multiply("score_products"), parts.squares, precisions)
    builder.add(Dense.exact("score_sum", np.ones((latent, 1))))
    description = (
        f"R_z of the latent space{parts.note}, each 1/sigma^2 off by at most "
        f"{100 * fit.error:.2g}% of itself and {fit.error + precision_type.step / 2:.2g}"
    )
    highest = (builder.value_ranges[parts.squares].high * fit.highest).sum()
    return Score(description=description, highest=float(highest))


@dataclass(frozen=True, eq=False, kw_only=True)
class _LatentParts:
    """What scores are made of."""

    squares: int
    """The tensor of the squares of the means."""
    distances: int
    """The tensor of the squared distance of the log-variances from one of their ends."""
    log_variances: NDArray[np.float64]
    """(codes,) every value that a log-variance can have, from the lowest."""
    note: str
    """In words, how log-variances have been rounded."""


def _add_latent_parts(builder: Builder, latent: int, from_above: bool) -> _LatentParts:
    """Append squares of means, and of log-variances' distance from their highest or lowest."""
    end, outputs = builder.last, builder.value_ranges[-1].size
    builder.add(select("score_means", range(latent), outputs), end)
    squares = builder.add(Square("score_squares"))
    builder.add(select("score_log_variances", range(latent, 2 * latent), outputs), end)
    given, note = builder.value_ranges[-1].type, ""
    integer = min(given.integer, int(math.log2(HIGHEST_LOG_VARIANCE)))
    fraction = min(given.fraction, MOST_CODE_BITS - 1 - integer)
    if (integer, fraction) != (given.integer, given.fraction):
        narrow = FixedPoint(signed=True, integer=integer, fraction=fraction)
        builder.add(Quantize("score_rounded", type=narrow))
        note = f", of log-variances as {narrow.hls}"
    ends = builder.value_ranges[-1]
    low, high, step = float(ends.low.min()), float(ends.high.max()), 2.0**-ends.fraction
    sign, start = (-1.0, high) if from_above else (1.0, -low)
    builder.add(Affine.exact("score_away", np.full(latent, sign), np.full(latent, start)))
    distances = builder.add(Square("score_distance"))
    return _LatentParts(
        squares=squares,
        distances=distances,
        log_variances=np.arange(low, high + step, step),
        note=note,
    )

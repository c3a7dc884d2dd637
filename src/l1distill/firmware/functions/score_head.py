"""The anomaly score behind a network, in the layers of the network itself, and its threshold."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from l1distill.core.errors import ConfigError
from l1distill.firmware.functions.error_head import ErrorHead, add_mean_square_error
from l1distill.firmware.functions.latent_scores import (
    Score,
    add_kl_divergence,
    add_origin_z_score,
    add_sum_of_squares,
)
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import BIT, FixedPoint, grid_of, smallest_type
from l1distill.firmware.network.layers import Concatenate, Dense, Quantize
from l1distill.firmware.network.network import Network
from l1distill.firmware.settings import ScoreSettings

COMPARED_BITS = 24
"""Most bits of a number that is compared with a threshold: alkaid holds it as a float32."""


class ScoredNetwork(NamedTuple):
    """A network with its score."""

    network: Network
    output: str | None
    """What the score is, in words; None where none has been added. An accept bit comes after it."""


def with_score(
    network: Network, settings: ScoreSettings, error_head: ErrorHead | None = None
) -> ScoredNetwork:
    """Put a score and a threshold behind a network.

    Args:
        network: for a score of the latent space, an encoder that gives means and then logarithms
            of variances; for ``mse`` an autoencoder, that gives as many numbers as it takes.
        settings: which score, of how many bits, and which threshold or accept bit.
        error_head: the reconstruction error of ``mse``, where the autoencoder's target is more
            than its inputs; ``None`` for the mean square of outputs less inputs.

    Returns:
        The network with more layers, all of them exact, and what it gives.

    Raises:
        ConfigError: this network has no such score, or no event, or every one, passes the
            threshold.
    """
    builder, output = Builder.extending(network), None
    if settings.kind is not None:
        score = _add_score(builder, network, settings, error_head)
        output = score.description
        _narrow(builder, score.highest, settings.bits)
    if settings.threshold is not None:
        _compare(builder, settings.threshold, "threshold")
        output = f"1 where {output or 'output'} is at least {settings.threshold:g}, else 0"
    if settings.accept is not None:
        compared = builder.last
        _compare(builder, settings.accept, "accept")
        builder.add(Concatenate("score_and_accept", axis=0), compared, builder.last)
    extended = len(builder.layers) > len(network.layers)
    return ScoredNetwork(builder.network() if extended else network, output)


def accept_in_words(threshold: float) -> str:
    """Return what the output of ``score.accept`` is."""
    return f"1 where the score is at least {threshold:g} (accepted), else 0"


def _add_score(
    builder: Builder, network: Network, settings: ScoreSettings, error_head: ErrorHead | None
) -> Score:
    if settings.kind == "mse":
        if network.outputs != network.inputs:
            raise ConfigError(
                f"score.kind=mse: the network takes {network.inputs} numbers and gives "
                f"{network.outputs}, which is no reconstruction; take a whole autoencoder, or "
                "score.kind=kl, rz or sum_mu2 for an encoder"
            )
        add_error = error_head or add_mean_square_error
        return Score(description=add_error(builder, network.input_units, settings.pieces))
    latent = _latent_size(network, settings)
    if settings.kind == "sum_mu2":
        return add_sum_of_squares(builder, latent)
    if settings.kind == "kl":
        return add_kl_divergence(builder, latent, settings.pieces)
    return add_origin_z_score(builder, latent, settings.pieces)


def _latent_size(network: Network, settings: ScoreSettings) -> int:
    """Return how many outputs, from the first, are means."""
    setting, latent = f"score.kind={settings.kind}", settings.latent
    if latent is None and network.outputs == network.inputs:
        raise ConfigError(
            f"{setting}: the network gives as many numbers as it takes, {network.inputs}: a "
            "reconstruction has no means; take the encoder of a VAE, or say with score.latent= how "
            "many of them are means"
        )
    if latent is None and network.outputs % 2:
        raise ConfigError(
            f"{setting}: the network gives {network.outputs} numbers, not means and as many "
            "variances; say with score.latent= how many of them, from the first, are means"
        )
    latent = latent or network.outputs // 2
    needed = latent if settings.kind == "sum_mu2" else 2 * latent
    if needed > network.outputs:
        raise ConfigError(
            f"{setting}: score.latent={latent} takes {needed} numbers, the network gives "
            f"{network.outputs}; choose fewer"
        )
    return latent


def _narrow(builder: Builder, highest: float | None, bits: int | None) -> None:
    """Round and clip a score that is not negative, where that changes anything."""
    score = builder.value_ranges[-1]
    top = float(score.high[0]) if highest is None else highest
    score_type = replace(smallest_type(0.0, top, score.fraction), rounding="TRN")
    if bits is None and score_type.bare == score.type.bare:
        return
    most = bits or COMPARED_BITS
    if score_type.bits > most:
        integer = score_type.integer
        score_type = FixedPoint(signed=False, integer=integer, fraction=most - integer)
    if score_type.bare != score.type.bare:
        builder.add(Quantize("score_bits", type=score_type))


def _compare(builder: Builder, threshold: float, name: str) -> None:
    """Append a bit: count in steps from just below the threshold, and clip that to 0 or 1.

    ``name`` is the setting under ``score.``.
    """
    score = builder.value_ranges[-1]
    if score.shape != (1,):
        raise ConfigError(
            f"score.{name}: the network gives {score.size} numbers; a threshold is for "
            "one, name a score.kind="
        )
    low, high = float(score.low[0]), float(score.high[0])
    if not low < threshold <= high:
        raise ConfigError(
            f"score.{name}={threshold:g}: what is compared lies between {low:g} and {high:g}; "
            "choose one above the lowest and at most the highest"
        )
    if score.type.bits > COMPARED_BITS:
        raise ConfigError(
            f"score.{name}: what is compared takes {score.type.bits} bits, more than the "
            f"{COMPARED_BITS} that a threshold can have; set score.bits={COMPARED_BITS} or fewer"
        )
    step = 2.0**-score.fraction
    grid = FixedPoint(signed=False, integer=score.fraction + 1, fraction=-score.fraction)
    kernel, bias = np.array([[1.0 / step]]), np.array([1.0 - math.ceil(threshold / step)])
    builder.add(
        Dense(
            f"{name}_steps",
            kernel=kernel,
            bias=bias,
            kernel_type=grid,
            bias_type=grid_of(bias),
        )
    )
    builder.add(Quantize(name, type=BIT))

"""The error of our autoencoders in firmware, against the loss that they are trained with."""

import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.firmware.functions.score_head import with_score
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.settings import ScoreSettings
from l1distill.tasks.anomaly.autoencoder import target
from l1distill.tasks.anomaly.losses import reconstruction_error
from l1distill.tasks.anomaly.reconstruction import ObjectsErrorHead
from l1distill.tasks.anomaly.standardization import Standardization
from tests.firmware.functions.test_score_head import encoder


def raw_objects(network: Network, number: int = 400) -> NDArray[np.float64]:
    """Raw objects as the ports hold them: many are absent, pT within the range."""
    rng = np.random.default_rng(3)
    objects = np.stack(
        [
            rng.exponential(25, (number, 19)) + 3,
            rng.uniform(-4, 4, (number, 19)),
            rng.uniform(-np.pi, np.pi, (number, 19)),
        ],
        axis=2,
    )
    objects *= (rng.random((number, 19)) < 0.5)[..., None]
    objects[:, 0, 1] = 0
    return network.to_port_values(objects.reshape(number, -1)) * network.input_units


def random_standardization() -> Standardization:
    rng = np.random.default_rng(1)
    return Standardization(
        pt_mean=rng.uniform(0, 40, 19).tolist(), pt_std=rng.uniform(0.1, 20, 19).tolist()
    )


@pytest.mark.parametrize("pieces", [None, 24])
def test_the_error_of_objects_is_as_near_its_definition_as_is_said(pieces: int | None) -> None:
    standardization = random_standardization()
    plain = replace(
        encoder(inputs=57, outputs=57),
        input_exponents=(8, 2, 2) * 19,
        input_type=FixedPoint(signed=True, integer=0, fraction=11),
    )
    x = raw_objects(plain)
    expected = np.asarray(
        reconstruction_error(
            target(standardization, tf.constant(x.reshape(-1, 19, 3), tf.float32)),
            evaluate(plain, x).astype(np.float32),
        ),
        dtype=np.float64,
    )
    head = ObjectsErrorHead(standardization=standardization)
    network, output = with_score(plain, ScoreSettings(kind="mse", pieces=pieces), head)
    assert output is not None
    each = float(re.findall(r"each difference off by at most (\S+),", output)[0])
    assert each < {None: 0.2, 24: 0.12}[pieces]
    result = evaluate(network, x)[:, 0]
    # of a sum of squares: twice the error times the mean difference, and the error squared
    allowed = 2 * each * np.sqrt(expected) + each**2 + 2e-4 * expected + network.output_type.step
    assert (np.abs(result - expected) <= allowed).all()
    assert np.corrcoef(result, expected)[0, 1] > 0.999
    few = x[:60]
    assert np.array_equal(trace_network(network).predict(few)[:, 0], result[:60])


def test_an_autoencoder_of_something_else_is_refused() -> None:
    plain = encoder(inputs=4, outputs=4)
    head = ObjectsErrorHead(standardization=random_standardization())
    with pytest.raises(ConfigError, match="a standardization of 19 objects but takes 4 numbers"):
        with_score(plain, ScoreSettings(kind="mse"), head)

from collections.abc import Callable

import numpy as np
import pytest

from l1distill.firmware.network.layers import Dense, Quantize
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.verification.adversarial import adversarial_events
from l1distill.firmware.verification.events import random_events
from tests.firmware.conftest import Student
from tests.firmware.networks import NETWORKS

Students = Callable[[str], Student]


def test_corners_are_among_them(student: Students) -> None:
    network = student("default").network
    kind = network.input_type
    events = {tuple(event) for event in adversarial_events(network, 500, 1).x.tolist()}
    for value in (kind.low, kind.high, kind.low + kind.step, kind.high - kind.step, 0.0):
        assert (value,) * 12 in events
    assert (kind.low, *(0.0,) * 11) in events


@pytest.mark.parametrize("name", ["dense", "image", "slope"])
def test_they_are_inputs_of_the_network_and_the_same_every_time(name: str) -> None:
    network = from_qkeras(NETWORKS[name](4))
    found = adversarial_events(network, 300, 3)
    assert found.x.shape[1] == network.inputs
    assert 0 < len(found.x) <= 300 + 1
    assert network.input_type.holds(found.x / network.input_units)
    assert np.array_equal(found.x, adversarial_events(network, 300, 3).x)
    assert len(adversarial_events(network, 0, 3).x) == 0


def test_sums_meet_halves_and_ends_with_a_bit_on_either_side(student: Students) -> None:
    network = student("default").network
    found = adversarial_events(network, 2000, 1)
    assert found.met > found.boundaries / 3
    dense, relu, *_ = network.layers
    assert isinstance(dense, Dense)
    assert isinstance(relu, Quantize)
    bit = 2.0 ** -(network.input_type.fraction + dense.kernel_type.fraction)
    half = relu.type.step / 2

    def met(x: np.ndarray) -> int:
        sums = network.to_port_values(x) @ dense.kernel + dense.bias
        wanted = [
            edge + beside for edge in (half, relu.type.high + half) for beside in (-bit, 0, bit)
        ]
        return sum(int((sums[:, n] == value).any()) for n in range(6) for value in wanted)

    assert met(found.x) > 5 * max(1, met(random_events(network, len(found.x), 1)))


def overflows_when_rounding(network: Network, x: np.ndarray) -> np.ndarray:
    """Computes a network as hardware that clips first, and then rounds up to beyond the end."""
    values = network.to_port_values(x)
    for layer in network.layers:
        if isinstance(layer, Quantize):
            kind = layer.type
            wraps = np.rint(values / kind.step) == kind.high / kind.step + 1
            values = np.where(wraps, kind.low, layer.apply(values))
        else:
            values = layer.apply(values)
    return values


def test_an_overflow_is_seen_more_often_than_by_random_events(student: Students) -> None:
    network = student("10_bits").network
    adversarial, random = adversarial_events(network, 1000, 1).x, random_events(network, 1000, 1)
    shares = [
        np.mean(overflows_when_rounding(network, x) != evaluate(network, x))
        for x in (adversarial, random)
    ]
    assert shares[0] > 2 * shares[1]

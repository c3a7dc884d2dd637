"""Which events are verified, and what they are compared with."""

from collections.abc import Callable

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.firmware.network.network import evaluate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.settings import FirmwareSettings
from l1distill.firmware.verification.comparison import compare
from l1distill.firmware.verification.reference import choose_events
from tests.firmware.conftest import Student
from tests.firmware.networks import chain, dense, full_range, grid, outputs
from tests.firmware.students import HARDWARE

Students = Callable[[str], Student]


def settings(verification: int, adversarial: int) -> FirmwareSettings:
    return FirmwareSettings(
        device=HARDWARE, verification_events=verification, adversarial_events=adversarial
    )


def test_given_events_come_first_then_random_and_adversarial_ones(student: Students) -> None:
    made = student("default")
    events = choose_events(made.model, made.network, made.network, made.x[:40], settings(60, 80))
    assert events.reference.name == "QKeras"
    assert events.reference.qkeras is None
    assert np.array_equal(events.x[:40], made.x[:40])
    assert made.network.input_type.holds(events.x)
    assert len(events.x) == 60 + events.adversarial
    assert 0 < events.adversarial <= 80
    assert np.array_equal(events.y, outputs(made.model, events.x))
    few = events.limit(10)
    assert np.array_equal(few.x[:10], made.x[:10])
    assert np.array_equal(few.x[10:], events.x[60:])
    assert np.array_equal(few.y[10:], events.y[60:])
    assert len(events.limit(1000).x) == len(events.x)
    again = choose_events(made.model, made.network, made.network, None, settings(30, 0))
    assert len(again.x) == 30
    assert again.adversarial == 0


def test_a_network_is_its_own_reference(student: Students) -> None:
    network = student("default").network
    events = choose_events(network, network, network, None, settings(50, 0))
    assert events.reference.name == "the network in exact arithmetic"
    assert np.array_equal(events.y, evaluate(network, events.x))


def test_sums_that_qkeras_rounds_are_compared_with_exact_ones() -> None:
    model = chain((4,), [grid(16), dense(16, 3), grid(16), dense(16, 1), grid(16)])
    network = from_qkeras(model)
    x = full_range(network)
    events = choose_events(model, network, network, x, settings(300, 0))
    assert "more than QKeras' float32 holds" in events.reference.name
    assert events.reference.qkeras == compare(evaluate(network, x[:300]), outputs(model, x[:300]))
    assert np.array_equal(events.y, evaluate(network, x[:300]))
    assert np.array_equal(trace_network(network).predict(events.x), events.y)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda x: x[:, :5], r"shape \(2000, 5\), the model takes \(events, 12\)"),
        (lambda x: x + 0.01, r"not on the grid of the input quantizer, fixed<5,4,"),
        (lambda x: x * 100, "not on the grid"),
        (lambda x: np.full_like(x, np.nan), "not on the grid"),
    ],
)
def test_events_that_prove_nothing_are_refused(
    student: Students, spoil: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    made = student("3_bits")
    with pytest.raises(DataError, match=words):
        choose_events(made.model, made.network, made.network, spoil(made.x), settings(1500, 200))

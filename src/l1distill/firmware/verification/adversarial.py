"""Events on which a back end is most likely to err: corners, and sums at the edge of a rounding.

Random events seldom meet the boundaries where one number becomes another: halves between two
values of a quantizer, and the ends of its range. Here each such sum is sought, and the sums one
least significant bit on either side of it, by changing one input at a time.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.layers import Quantize
from l1distill.firmware.network.network import Network, evaluate_first, value_ranges
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.verification.events import random_events

_POOL = 4000
"""Random events that the search starts from."""
_TRIES = 48
"""Changes of an event that are tried at a time."""
_ROUNDS = 16
_EVALUATIONS = 100_000
"""Events after which the search at a layer ends: deep networks are slow to evaluate."""
_ELEMENTS = 512
"""Most elements of a layer whose boundaries are sought."""


class Adversarial(NamedTuple):
    """The events, and how far the search for boundaries got."""

    x: NDArray[np.float64]
    """(n, inputs) on the grid of the inputs."""
    boundaries: int
    """Sums that were sought: at a boundary or one least significant bit beside it."""
    met: int
    """How many of them an event of ``x`` brings about exactly."""


class _Targets(NamedTuple):
    """Sums that are sought at one layer."""

    element: NDArray[np.int64]
    """(targets,) which number of the layer's input."""
    value: NDArray[np.float64]
    """(targets,) what it is to be."""


def adversarial_events(network: Network, number: int, seed: int) -> Adversarial:
    """Makes events for all that is likely to go wrong.

    They are all-min, all-max, zeros and single inputs at their ends and one bit inside; then the
    events that meet, or come nearest to, each element of each quantizer at the ends of its range,
    at zero and at a half between two of its values, with the sums one bit below and above.

    Args:
        network: the quantized network.
        number: most events; where the boundaries are more, as many of each layer are drawn.
        seed: of the search.

    Returns:
        The events.
    """
    rng = np.random.default_rng(seed)
    corners = _corners(network)[:number]
    quantizers = [n for n, layer in enumerate(network.layers) if isinstance(layer, Quantize)]
    if not quantizers or len(corners) == number:
        return Adversarial(_in_units(network, corners), 0, 0)
    found = value_ranges(network)
    pool = random_events(network, _POOL, seed) / network.input_units
    pool = np.concatenate([corners, pool])
    each = (number - len(corners)) // len(quantizers)
    chosen, sought, met = [corners], 0, 0
    for position in quantizers:
        layer = network.layers[position]
        assert isinstance(layer, Quantize)
        (tensor,) = network.wiring[position]
        targets = _targets(layer, found[tensor], each, rng)
        if not targets.value.size:
            continue
        events, hits = _search(network, tensor, targets, pool, rng)
        chosen.append(events)
        sought += targets.value.size
        met += hits
    events = np.unique(np.concatenate(chosen), axis=0)
    return Adversarial(_in_units(network, events), sought, met)


def _in_units(network: Network, ports: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = ports * network.input_units
    return result


def _corners(network: Network) -> NDArray[np.float64]:
    """Returns events at the ends of the inputs' range, in units of the ports."""
    kind, inputs = network.input_type, network.inputs
    low, high, step = kind.low, kind.high, kind.step
    values = [low, high, 0.0, low + step, high - step, step, max(low, -step)]
    whole = np.repeat(np.array(values)[:, None], inputs, axis=1)
    striped = np.where(np.arange(inputs) % 2 == 0, low, high)[None]
    alone = [np.eye(inputs) * value for value in values if value]
    events = np.concatenate([whole, striped, striped[:, ::-1], *alone])
    result: NDArray[np.float64] = np.unique(events, axis=0)
    return result


def _targets(
    layer: Quantize, before: ValueRange, number: int, rng: np.random.Generator
) -> _Targets:
    """Returns the sums to be sought in front of a quantizer, those within reach only."""
    kind = layer.type
    half = kind.step / 2 if kind.rounding == "RND_CONV" else 0.0
    low, high = before.low.ravel(), before.high.ravel()
    elements = np.flatnonzero(low < high)
    if len(elements) > _ELEMENTS:
        elements = np.sort(rng.choice(elements, _ELEMENTS, replace=False))
    values = {kind.low - half, kind.low + half, kind.high - half, kind.high + half, 0.0}
    # halves between an even and an odd value, and between an odd and an even one
    for code in (0.0, 1.0, *rng.integers(0, 2 ** min(kind.bits, 30), 4).tolist()):
        values.add(min(kind.low + code * kind.step, kind.high) + half)
    element, value = [], []
    bit = 2.0**-before.fraction
    for edge in sorted(values):
        scaled = edge / layer.negative_slope if edge < 0 else edge
        for beside in (-bit, 0.0, bit):
            wanted = np.round((scaled + beside) / bit) * bit  # what the sums' grid has
            within = elements[(low[elements] <= wanted) & (wanted <= high[elements])]
            element.append(within)
            value.append(np.full(len(within), wanted))
    both = np.stack([np.concatenate(element), np.concatenate(value)])
    both = np.unique(both, axis=1)
    if both.shape[1] > number:
        both = both[:, np.sort(rng.choice(both.shape[1], number, replace=False))]
    return _Targets(both[0].astype(np.int64), both[1])


def _search(
    network: Network,
    tensor: int,
    targets: _Targets,
    pool: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], int]:
    """Returns the event nearest to each target, and how many meet theirs."""
    sums = evaluate_first(network, tensor, pool)
    events = np.empty((len(targets.value), network.inputs))
    distance = np.empty(len(targets.value))
    for n, (element, value) in enumerate(zip(*targets, strict=True)):
        apart = np.abs(sums[:, element] - value)
        nearest = int(np.argmin(apart))
        events[n], distance[n] = pool[nearest], apart[nearest]
    kind, evaluations = network.input_type, 0
    for _ in range(_ROUNDS):
        (open_,) = np.nonzero(distance)
        evaluations += open_.size * _TRIES
        if not open_.size or evaluations > _EVALUATIONS:
            break
        changed = np.repeat(events[open_], _TRIES, axis=0)
        rows = np.arange(len(changed))
        columns = rng.integers(0, network.inputs, len(changed))
        steps = 2.0 ** rng.integers(0, max(kind.bits - 1, 1), len(changed))
        steps *= rng.choice([-kind.step, kind.step], len(changed))
        for _ in range(2):  # one input or two
            changed[rows, columns] = np.clip(changed[rows, columns] + steps, kind.low, kind.high)
            columns = rng.integers(0, network.inputs, len(changed))
            steps = np.where(rng.random(len(changed)) < 0.5, -steps, 0.0)
        sums = evaluate_first(network, tensor, changed)
        elements = np.repeat(targets.element[open_], _TRIES)
        apart = np.abs(sums[rows, elements] - np.repeat(targets.value[open_], _TRIES))
        apart = apart.reshape(-1, _TRIES)
        best = apart.argmin(axis=1)
        least = apart[np.arange(len(open_)), best]
        better = least < distance[open_]
        winners = np.arange(len(open_)) * _TRIES + best
        events[open_[better]] = changed[winners[better]]
        distance[open_[better]] = least[better]
    return events, int((distance == 0).sum())

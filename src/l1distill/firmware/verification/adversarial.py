"""Adversarial verification events: ends of the input range, and sums at the edge of a rounding.

Random events seldom meet the boundaries at which a quantizer gives another value: halves between
two of its values, and the ends of its range. Here events are searched for that give each such sum,
and the sums one least significant bit on either side of it, by changing one or two inputs at a
time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.network import (
    Network,
    evaluate_first,
    input_range,
    value_ranges,
)
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.verification.boundaries import DrawBoundaries, layer_boundaries
from l1distill.firmware.verification.events import random_events

_POOL = 4000
"""Random events that the search starts from."""
_TRIES = 48
"""Changes of an event that are tried in a round."""
_ROUNDS = 16
"""Rounds of the search at a layer."""
_EVALUATIONS = 100_000
"""Evaluated events after which the search at a layer ends: deep networks are slow to evaluate."""
_ELEMENTS = 512
"""Maximum number of elements of a layer whose boundaries are searched for."""


@dataclass(frozen=True)
class Adversarial:
    """Adversarial events, and the result of the search for boundaries."""

    x: NDArray[np.float64]
    """(n, inputs) on the grid of the inputs."""
    boundaries: int
    """Number of sums searched for: at a boundary, or one least significant bit beside it."""
    met: int
    """Number of these sums that an event of ``x`` gives exactly."""


@dataclass(frozen=True)
class _Targets:
    """Sums that are searched for in front of one quantizer."""

    element: NDArray[np.int64]
    """(targets,) index of the number in the quantizer's input."""
    value: NDArray[np.float64]
    """(targets,) the sum."""


def adversarial_events(network: Network, number: int, seed: int) -> Adversarial:
    """Make events on which a back end is most likely to differ.

    First come all inputs, or a single one, at the ends of their range, at zero and one bit inside;
    then the events that give, or come nearest to, each sum at which a quantizer reaches the end of
    its range, zero, or a half between two of its values, and the sums one bit below and above.

    Args:
        network: the quantized network.
        number: maximum number of events; of more boundaries, equal numbers are drawn in each layer.
        seed: of the search.

    Returns:
        The events.
    """
    rng = np.random.default_rng(seed)
    corners = _corners(network)[:number]
    rounding = {
        position: draw
        for position, layer in enumerate(network.layers)
        if (draw := layer_boundaries(layer)) is not None
    }
    if not rounding or len(corners) == number:
        return Adversarial(x=corners * network.input_units, boundaries=0, met=0)
    ranges = value_ranges(network)
    pool = random_events(network, _POOL, seed) / network.input_units
    pool = np.concatenate([corners, pool])
    each = (number - len(corners)) // len(rounding)
    chosen, boundaries, met = [corners], 0, 0
    for position, draw in rounding.items():
        tensor = network.wiring[position][0]
        targets = _targets(draw, ranges[tensor], each, rng)
        if not targets.value.size:
            continue
        events, hits = _search(network, tensor, targets, pool, rng)
        chosen.append(events)
        boundaries += targets.value.size
        met += hits
    events = np.unique(np.concatenate(chosen), axis=0)
    return Adversarial(x=events * network.input_units, boundaries=boundaries, met=met)


def _corners(network: Network) -> NDArray[np.float64]:
    """Return events at the ends of the inputs' range, as values of the input ports."""
    inputs, step = network.inputs, _steps(network)
    ports = input_range(network)
    low, high = ports.low, ports.high
    values = [low, high, np.zeros(inputs), low + step, high - step]
    values += [step, np.maximum(low, -step)]
    whole = np.stack(values)
    striped = np.where(np.arange(inputs) % 2 == 0, low, high)[None]
    alone = [np.diag(value) for value in values if value.any()]
    events = np.concatenate([whole, striped, striped[:, ::-1], *alone])
    events = np.clip(events, low, high)
    result: NDArray[np.float64] = np.unique(events, axis=0)
    return result


def _steps(network: Network) -> NDArray[np.float64]:
    """Return the distance of neighboring values of each input port."""
    return np.array([port.step for port in network.ports])


def _targets(
    draw: DrawBoundaries, before: ValueRange, number: int, rng: np.random.Generator
) -> _Targets:
    """Return the sums to search for in front of a layer, those within the value range only."""
    low, high = before.low.ravel(), before.high.ravel()
    elements = np.flatnonzero(low < high)
    if len(elements) > _ELEMENTS:
        elements = np.sort(rng.choice(elements, _ELEMENTS, replace=False))
    element, value = [], []
    bit = 2.0**-before.fraction
    for boundary in draw(rng):
        for beside in (-bit, 0.0, bit):
            target = np.round((boundary + beside) / bit) * bit  # on the grid of the sums
            reached = elements[(low[elements] <= target) & (target <= high[elements])]
            element.append(reached)
            value.append(np.full(len(reached), target))
    both = np.stack([np.concatenate(element), np.concatenate(value)])
    both = np.unique(both, axis=1)
    if both.shape[1] > number:
        both = both[:, np.sort(rng.choice(both.shape[1], number, replace=False))]
    return _Targets(element=both[0].astype(np.int64), value=both[1])


def _search(
    network: Network,
    tensor: int,
    targets: _Targets,
    pool: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], int]:
    """Return the event nearest to each target, and the number of targets that are met."""
    sums = evaluate_first(network, tensor, pool)
    events = np.empty((len(targets.value), network.inputs))
    distance = np.empty(len(targets.value))
    for n, (element, value) in enumerate(zip(targets.element, targets.value, strict=True)):
        apart = np.abs(sums[:, element] - value)
        nearest = int(np.argmin(apart))
        events[n], distance[n] = pool[nearest], apart[nearest]
    input_type, ports, evaluations = network.input_type, input_range(network), 0
    port_steps = _steps(network)
    for _ in range(_ROUNDS):
        (open_,) = np.nonzero(distance)
        evaluations += open_.size * _TRIES
        if not open_.size or evaluations > _EVALUATIONS:
            break
        changed = np.repeat(events[open_], _TRIES, axis=0)
        rows = np.arange(len(changed))
        columns = rng.integers(0, network.inputs, len(changed))
        codes = 2.0 ** rng.integers(0, max(input_type.bits - 1, 1), len(changed))
        codes *= rng.choice([-1.0, 1.0], len(changed))
        for _ in range(2):  # one input or two
            moved = changed[rows, columns] + codes * port_steps[columns]
            changed[rows, columns] = np.clip(moved, ports.low[columns], ports.high[columns])
            columns = rng.integers(0, network.inputs, len(changed))
            codes = np.where(rng.random(len(changed)) < 0.5, -codes, 0.0)
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

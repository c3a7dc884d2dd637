"""How far a network in fixed point is from the model in floating point that it was made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.network.value_range import Array
from l1distill.firmware.verification.reference import predict_keras

_ASSUMED = "_assumed_inputs"
"""Ends the name of each difference that was measured on events that nobody gave."""
_SEED = 2026
"""Of the pairs of events whose order is compared."""


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Differences of a network from its model."""

    metrics: Mapping[str, float]
    """``precision/...``; names end in ``_assumed_inputs`` where the events are random."""
    sentence: str | None
    """The same for the model card; None where outputs are bits for classes beside other numbers,
    which have nothing to be compared with."""


def measure_differences(
    model: Any, network: Network, events: Array, *, is_assumed: bool, is_argmax: bool = False
) -> Differences:
    """Compare a network with its model.

    Args:
        model: of Keras, in floating point.
        network: that was made of it.
        events: (n, inputs) of the model, flat.
        is_assumed: whether the events are random, within a range that nobody confirmed.
        is_argmax: whether the network gives a 1 for the largest class where the model gives
            numbers: then classes alone are compared.

    Returns:
        Largest and mean difference, the share of events of the same class where there are
        classes, the share of pairs of events in the same order where there is one output.
    """
    exact = predict_keras(model, events.reshape(len(events), -1))
    rounded = evaluate(network, network.to_port_values(events) * network.input_units)
    metrics: dict[str, float] = {}
    words = []
    if not is_argmax:
        difference = np.abs(rounded - exact)
        metrics |= {
            "mean_abs_difference": float(difference.mean()),
            "max_abs_difference": float(difference.max()),
            "rms_of_model": float(np.sqrt(np.mean(exact**2))),
        }
        words.append(
            f"outputs differ by {metrics['mean_abs_difference']:.3g} on average and by "
            f"{metrics['max_abs_difference']:.3g} at most, where their root mean square is "
            f"{metrics['rms_of_model']:.3g}"
        )
    if exact.shape[1] == 1:
        same = _share_in_same_order(exact[:, 0], rounded[:, 0])
        metrics["same_order"] = same
        words.append(f"{_percent(1 - same)} of pairs of events change their order")
    elif not isinstance(model.output_shape, list):  # several outputs are no classes
        same = float(np.mean(np.argmax(exact, axis=1) == np.argmax(rounded, axis=1)))
        metrics["same_class"] = same
        words.append(f"{_percent(1 - same)} of events change their largest output")
    end = _ASSUMED if is_assumed else ""
    if not words:
        return Differences(metrics={}, sentence=None)
    events_words = "random events of the assumed range" if is_assumed else "given events"
    return Differences(
        metrics={f"precision/{name}{end}": value for name, value in metrics.items()},
        sentence=f"On {len(events):,} {events_words} {', and '.join(words)}.",
    )


def _share_in_same_order(exact: Array, rounded: Array) -> float:
    """Return the share of pairs of events that keep their order; equal results lose it."""
    first = np.random.default_rng(_SEED).permutation(len(exact))
    second = np.roll(first, 1)
    before, after = exact[first] - exact[second], rounded[first] - rounded[second]
    return float(np.mean(np.sign(before) == np.sign(after)))


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%"

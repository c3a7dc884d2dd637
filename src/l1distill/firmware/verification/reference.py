"""Verification events and the reference results that every back end has to reproduce."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.core.errors import DataError
from l1distill.firmware.functions.port_conversion import PortedNetwork
from l1distill.firmware.network.network import (
    EXACT_FLOAT32_BITS,
    Network,
    evaluate,
    evaluate_rest,
    widest_sum,
)
from l1distill.firmware.readers.hgq import is_proxy
from l1distill.firmware.settings import FirmwareSettings
from l1distill.firmware.verification.adversarial import adversarial_events
from l1distill.firmware.verification.comparison import Comparison, compare
from l1distill.firmware.verification.events import random_events

SEED = 2026
"""Of random and adversarial events: the same model is verified on the same ones everywhere."""


@dataclass(frozen=True)
class Reference:
    """The computation that the back ends are compared with."""

    name: str
    qkeras: Comparison | None = None
    """QKeras compared with the reference, where QKeras is not the reference itself."""


@dataclass(frozen=True)
class VerificationEvents:
    """Events with their reference results; the adversarial events come last."""

    x: NDArray[np.float64]
    """(n, inputs) inputs on the grid of the input type."""
    y: NDArray[np.float64]
    """(n, outputs) results of the reference."""
    reference: Reference
    adversarial: int
    """Number of adversarial events."""

    def limit(self, number: int) -> "VerificationEvents":
        """Return at most ``number`` of the other events, and all adversarial ones."""
        others = len(self.x) - self.adversarial
        kept = np.r_[: min(number, others), others : len(self.x)]
        return replace(self, x=self.x[kept], y=self.y[kept])


def choose_events(
    model: Any,
    model_network: Network,
    network: Network,
    events: ArrayLike | None,
    settings: FirmwareSettings,
    ported: PortedNetwork | None = None,
) -> VerificationEvents:
    """Choose the verification events of a network and compute their reference results.

    The given events come first, then random and adversarial ones. The reference is QKeras where
    its float32 sums are exact, else the network in exact arithmetic.

    Args:
        model: a QKeras model, or a network.
        model_network: the network of the model.
        network: the network of the firmware, which may have a score behind the model's layers.
        events: (n, inputs) inputs on the grid of the input type, or of the shape of the model's
            input; ``None`` for random ones alone.
        settings: give the number of events.
        ported: ``network`` behind integer ports; then the events are integers.

    Returns:
        The events.

    Raises:
        DataError: the events have another shape, or are not on the grid.
    """
    taken = network if ported is None else ported.network
    given = _given_events(taken, events, settings.verification_events)
    random = random_events(taken, settings.verification_events - len(given), SEED)
    adversarial = adversarial_events(taken, settings.adversarial_events, SEED).x
    x = np.concatenate([given, random, adversarial])
    inputs = x if ported is None else ported.converted(x)
    y, reference = _reference(model, model_network, network, inputs)
    return VerificationEvents(x=x, y=y, reference=reference, adversarial=len(adversarial))


def _given_events(network: Network, events: ArrayLike | None, number: int) -> NDArray[np.float64]:
    given = np.empty((0, network.inputs)) if events is None else np.asarray(events)
    values = given.reshape(len(given), -1) if given.ndim > 2 else given
    if values.ndim != 2 or values.shape[1] != network.inputs:
        raise DataError(
            f"test inputs have shape {given.shape}, the model takes (events, {network.inputs})"
        )
    values = values[:number].astype(np.float64)
    if not np.array_equal(network.to_port_values(values), values / network.input_units):
        raise DataError(
            f"test inputs are not on the grid of the input quantizer, {network.input_type.hls}; "
            "quantize them first, or the comparison measures the inputs"
        )
    return values


def _reference(
    model: Any, model_network: Network, network: Network, x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Reference]:
    exact = evaluate(network, x)
    if isinstance(model, Network):
        return exact, Reference(name="the network in exact arithmetic")
    results = predict_keras(model, x)
    results = evaluate_rest(network, len(model_network.layers), network.to_port_values(x), results)
    layer, bits = widest_sum(model_network)
    if bits <= EXACT_FLOAT32_BITS:
        return results, Reference(name="the proxy model of HGQ" if is_proxy(model) else "QKeras")
    name = (
        f"the network in exact arithmetic, since sums of layer {layer} take up to {bits} bits, "
        "more than QKeras' float32 holds,"
    )
    return exact, Reference(name=name, qkeras=compare(exact, results))


def predict_keras(model: Any, x: NDArray[Any]) -> NDArray[np.float64]:
    """Predict events with a Keras model.

    Args:
        model: the model.
        x: (n, inputs) numbers, several inputs of the model side by side.

    Returns:
        (n, outputs) predictions, several outputs of the model side by side.
    """
    inputs, start = [], 0
    for tensor in model.inputs:
        shape = tuple(tensor.shape[1:])
        columns = x[:, start : start + math.prod(shape)].astype(np.float32)
        inputs.append(columns.reshape(len(x), *shape))
        start += math.prod(shape)
    predictions = _predict(model, inputs if len(inputs) > 1 else inputs[0])
    outputs = predictions if isinstance(predictions, list) else [predictions]
    if isinstance(predictions, dict):
        outputs = [predictions[name] for name in sorted(predictions)]
    return np.concatenate(
        [np.asarray(output, dtype=np.float64).reshape(len(x), -1) for output in outputs], axis=1
    )


def _predict(model: Any, inputs: Any) -> Any:
    """Predict, layer by layer where TensorFlow cannot compute what it makes of several layers."""
    import tensorflow as tf

    try:
        return model.predict(inputs, batch_size=4096, verbose=0)
    except tf.errors.UnimplementedError:  # a bias that it has fused with a grouped convolution
        return model(inputs, training=False)

"""Any Keras model as a quantized network: QKeras models are read, others rounded."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.ptq import post_training_quantize
from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.readers.keras_graph import input_shapes
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.settings import PrecisionSettings
from l1distill.firmware.verification.reference import predict_keras
from l1distill.models.import_keras import is_quantized


@dataclass(frozen=True, eq=False)
class QuantizedModel:
    """A model as a quantized network, and its differences from the model."""

    network: Network
    reference: Any
    """What firmware is compared with: the QKeras model where it computes the same numbers as the
    network, else the network itself."""
    limitations: tuple[str, ...] = ()
    """Errors of approximated functions, in words, for the model card."""
    metrics: Mapping[str, float] | None = None
    """``precision/...``: differences from the model; ``None`` where the network is exact."""


def to_network(
    model: Any,
    precision: PrecisionSettings,
    calibration: Callable[[int], NDArray[Any]],
    progress: Callable[[str], None] | None = None,
) -> QuantizedModel:
    """Read a QKeras model, or round a model in floating point to a precision.

    Args:
        model: a Keras 2 or QKeras model, or a network, which is returned as it is.
        precision: of a model in floating point, and of functions that are approximated by straight
            pieces in QKeras models too.
        calibration: returns (n, inputs) events for a number of inputs, on which ranges are chosen
            and differences measured; called only where something is rounded or approximated.
        progress: is told what is being done.

    Returns:
        The network, with its differences from the model.

    Raises:
        DataError: a layer is not supported; the message names it.
    """
    if isinstance(model, Network):
        return QuantizedModel(network=model, reference=model)
    functions = FunctionApproximator(precision.bits, precision.pieces, precision.softmax)
    if is_quantized(model):
        network = from_qkeras(model, functions)
        if not functions.notes:
            return QuantizedModel(network=network, reference=model)
        events = calibration(sum(map(math.prod, input_shapes(model))))
    else:
        if progress is not None:
            progress(f"rounding a model in floating point to {precision.bits} bits")
        events = calibration(sum(map(math.prod, input_shapes(model))))
        network = post_training_quantize(model, precision.bits, events, functions=functions)
    return QuantizedModel(
        network=network,
        reference=network,
        limitations=functions.notes,
        metrics=_differences(model, network, events, functions),
    )


def _differences(
    model: Any, network: Network, events: NDArray[Any], functions: FunctionApproximator
) -> dict[str, float]:
    """Measure how far a network is from its model."""
    inputs = network.to_port_values(events) * network.input_units
    exact = predict_keras(model, events.reshape(len(events), -1))
    rounded = evaluate(network, inputs)
    if functions.classes:
        if isinstance(model.output_shape, list):  # a softmax beside other outputs
            return {}
        same = np.argmax(exact, axis=1) == np.argmax(rounded, axis=1)
        return {"precision/same_class": float(same.mean())}
    difference = np.abs(rounded - exact)
    metrics = {
        "precision/bits": float(functions.bits),
        "precision/mean_abs_difference": float(difference.mean()),
        "precision/max_abs_difference": float(difference.max()),
        "precision/rms_of_model": float(np.sqrt(np.mean(exact**2))),
    }
    if functions.errors:
        metrics["precision/max_function_error"] = max(functions.errors.values())
    return metrics

"""Any Keras model as a quantized network: QKeras models are read, others rounded."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from l1distill.compression.assumed_types import AssumedTypes
from l1distill.compression.calibration import Calibration
from l1distill.compression.differences import measure_differences
from l1distill.compression.logits import without_softmax
from l1distill.compression.ptq import post_training_quantize
from l1distill.core.errors import ConfigError
from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.network.network import Network
from l1distill.firmware.readers.hgq import is_proxy
from l1distill.firmware.readers.keras_graph import input_shapes
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.settings import PrecisionSettings
from l1distill.models.hgq_model import WAY_OUT, is_hgq, to_proxy
from l1distill.models.import_keras import is_quantized


@dataclass(frozen=True, eq=False, kw_only=True)
class QuantizedModel:
    """A model as a quantized network, and its differences from the model."""

    network: Network
    reference: Any
    """What firmware is compared with: the QKeras model where it computes the same numbers as the
    network, else the network itself."""
    limitations: tuple[str, ...] = ()
    """What was assumed or approximated, in words, for the model card."""
    differences: tuple[str, ...] = ()
    """How far the network is from the model, in words, for the model card."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """``precision/...``: differences from the model; empty where the network is exact."""


def to_network(
    model: Any,
    precision: PrecisionSettings,
    read_events: Callable[[int], NDArray[Any]] | None,
    progress: Callable[[str], None] | None = None,
    seed: int = 0,
) -> QuantizedModel:
    """Read a QKeras model, or round a model in floating point to a precision.

    What a QKeras model gives no type, its inputs, weights or the results of a ReLU, gets one: see
    :class:`~l1distill.compression.assumed_types.AssumedTypes`.

    Args:
        model: a Keras 2 or QKeras model, or a network, which is returned as it is.
        precision: of a model in floating point, of what has no type in a QKeras model, and of
            functions that are approximated by straight pieces.
        read_events: returns (n, inputs) events for a number of inputs, on which ranges are chosen
            and differences measured; called only where something is rounded or approximated.
            ``None`` where there are none: then they are drawn, which is said.
        progress: is told what is being done, and what is assumed.
        seed: of events that are drawn.

    Returns:
        The network, with its differences from the model.

    Raises:
        DataError: a layer is not supported; the message names it.
    """
    if isinstance(model, Network):
        return QuantizedModel(network=model, reference=model)
    progress = progress or (lambda _: None)
    limitations: list[str] = []
    if is_hgq(model):
        model, note = _proxy_of(model, read_events)
        limitations.append(note)
    elif is_proxy(model):
        limitations.append(
            "Ranges of activations are those of the proxy model; a number beyond one that wraps is "
            "as wrong in the firmware as in the proxy model."
        )
    if precision.softmax == "logits":
        model, names = without_softmax(model)
        limitations += [
            f"The softmax of layer {name} is left out: what comes out are the numbers that go "
            "into it, the logits, whose order is that of the probabilities."
            for name in names
        ]
    if is_proxy(model):
        return QuantizedModel(
            network=from_qkeras(model), reference=model, limitations=tuple(limitations)
        )
    inputs = sum(map(math.prod, input_shapes(model)))
    calibration = Calibration(inputs, read_events, precision.input_range, seed)
    replacement = None if precision.softmax == "logits" else precision.softmax
    functions = FunctionApproximator(precision.bits, precision.pieces, replacement)
    input_type = precision.input_type
    is_exact = False
    types_notes: tuple[str, ...] = ()
    if is_quantized(model):
        types = AssumedTypes(precision.bits, input_type, calibration)
        network = from_qkeras(model, functions, types)
        types_notes = types.notes
        for note in types_notes:
            progress(note.removesuffix("."))
        is_exact = not functions.notes and not types.rounded
        if is_exact and types.inputs is None:
            return QuantizedModel(network=network, reference=model, limitations=tuple(limitations))
    else:
        progress(f"rounding a model in floating point to {precision.bits} bits")
        network = post_training_quantize(
            model, precision.bits, calibration.events(input_type), input_type, functions
        )
    differences = measure_differences(
        model,
        network,
        calibration.events(network.input_type, network.input_units),
        is_assumed=calibration.is_assumed,
        is_argmax=bool(functions.classes),
    )
    metrics = dict(differences.metrics)
    if not is_exact:
        metrics["precision/bits"] = float(precision.bits)
    errors = [*functions.errors.values(), *functions.table_errors.values()]
    if errors:
        metrics["precision/max_function_error"] = max(errors)
    if calibration.note is not None:
        progress(calibration.note)
        limitations.append(f"{calibration.note}.")
    return QuantizedModel(
        network=network,
        reference=model if is_exact else network,
        limitations=(*limitations, *types_notes, *functions.notes),
        differences=(differences.sentence,) if differences.sentence else (),
        metrics=metrics,
    )


def _proxy_of(model: Any, read_events: Callable[[int], NDArray[Any]] | None) -> tuple[Any, str]:
    """Return the proxy of a model of HGQ, and what its ranges were measured on."""
    inputs = sum(map(math.prod, input_shapes(model)))
    if read_events is None:
        raise ConfigError(
            "precision.calibration: a model of HGQ has no ranges in its file; name a file of "
            f"events that they are measured on, {WAY_OUT}"
        )
    events = read_events(inputs)
    return to_proxy(model, events), (
        f"The ranges of activations were measured on {len(events):,} events; a number beyond its "
        "range wraps around."
    )

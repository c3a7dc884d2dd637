"""ReLUs of a QKeras model that are no quantizers: what stands behind them says their type."""

from dataclasses import dataclass, replace
from typing import Any

from l1distill.firmware.network.layers import Quantize, QuantizeElements, UnaryLayer
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.qkeras_activations import exact_slope
from l1distill.firmware.readers.refusal import refuse

FUNCTION_LAYERS = ("Activation", "LeakyReLU", "ReLU", "Softmax")
"""Keras classes that are a function and nothing else."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A function, or sums, whose results wait for the quantizer behind them."""

    layer: Any
    """Of Keras, for messages."""
    name: str
    """Of the quantizer that it becomes where none follows."""
    slope: float
    """By which negative numbers are multiplied: 0 for a ReLU, 1 for none."""

    def with_quantizer(
        self, quantizer: Quantize | QuantizeElements, sums: ValueRange
    ) -> list[UnaryLayer]:
        """Return the layers that compute this and the quantizer behind it, exactly.

        Args:
            quantizer: without a slope of its own.
            sums: the value range of what comes in.
        """
        cuts = not quantizer.type.signed and quantizer.type.overflow != "WRAP"
        if self.slope == 1 or cuts:
            return [quantizer]
        if self.slope:
            if isinstance(quantizer, QuantizeElements):
                refuse(self.layer, "a leaky ReLU has one type for all of its elements; use a ReLU")
            return [replace(quantizer, negative_slope=self.slope)]
        # cut at zero and nothing else, before numbers are rounded
        return [Quantize(f"{self.name}_positive", type=sums.positive_type), quantizer]


def function_name(function: Any) -> str:
    """Return the name of an activation as Keras has it: ``relu`` also for a ``ReLU`` object."""
    name = getattr(function, "__name__", type(function).__name__)
    return {"ReLU": "relu", "LeakyReLU": "leaky_relu", "Softmax": "softmax"}.get(name, name)


def waiting_relu(layer: Any, name: str, function: Any) -> Waiting:
    """Return a ReLU or leaky ReLU that waits for its type.

    Args:
        layer: of the model, for messages.
        name: of the layer that it becomes.
        function: ``relu``, or a ReLU or LeakyReLU layer.

    Raises:
        DataError: it has an option that is not exact.
    """
    if type(function).__name__ == "LeakyReLU":
        return Waiting(layer=layer, name=name, slope=exact_slope(layer, float(function.alpha)))
    if getattr(function, "max_value", None) is not None or getattr(function, "threshold", 0) != 0:
        refuse(layer, "has a max_value or a threshold; leave them out")
    slope = float(getattr(function, "negative_slope", 0))
    return Waiting(layer=layer, name=name, slope=exact_slope(layer, slope) if slope else 0.0)

"""Refusal of a Keras layer by its name, its class and the reason."""

from collections.abc import Iterable
from typing import Any, NoReturn

from l1distill.core.errors import DataError

_INNER = ("Elements", "Reduction", "SelectElements")
"""Classes that stand for functions of TensorFlow; nobody writes them."""
_REASONS = {
    "LayerNormalization": "divides by a square root, which no fixed-point type reproduces; use "
    "BatchNormalization, whose constants are known",
    "Lambda": "runs Python that the file does not describe; use layers of keras.layers",
}
"""Why some classes are not supported, and what to use instead."""


def refuse(layer: Any, reason: str) -> NoReturn:
    """Refuse a Keras layer by its name, its class and the reason.

    Raises:
        DataError: always.
    """
    raise DataError(f"layer {layer.name} ({type(layer).__name__}): {reason}")


def refuse_class(layer: Any, supported: Iterable[str]) -> NoReturn:
    """Refuse a Keras layer whose class nothing reads.

    Args:
        layer: the layer.
        supported: names of the classes that are read.

    Raises:
        DataError: always.
    """
    listed = ", ".join(name for name in supported if name not in _INNER)
    reason = _REASONS.get(type(layer).__name__, f"is not supported; supported are {listed}")
    refuse(layer, reason)

"""Refusal of a Keras layer by its name, its class and the reason."""

from typing import Any, NoReturn

from l1distill.core.errors import DataError


def refuse(layer: Any, reason: str) -> NoReturn:
    """Refuse a Keras layer by its name, its class and the reason.

    Raises:
        DataError: always.
    """
    raise DataError(f"layer {layer.name} ({type(layer).__name__}): {reason}")

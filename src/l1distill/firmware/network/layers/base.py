"""What every layer of a quantized network has to define."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from inspect import isabstract
from typing import Any

from l1distill.firmware.network.back_ends import BACK_ENDS
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.value_range import Array, ValueRange


@dataclass(frozen=True, eq=False, kw_only=True)
class UnaryLayer(ABC):
    """A layer of one tensor.

    A new layer is a concrete subclass of this class or of :class:`BinaryLayer`, with every field
    but the name given by keyword, and one registration in each back end of
    :mod:`l1distill.firmware.network.back_ends`; ``tests/firmware/test_back_ends.py`` names those
    that are missing.
    """

    name: str = field(kw_only=False)

    @abstractmethod
    def apply(self, x: Any) -> Any:
        """Compute the layer exactly.

        Args:
            x: (n, ...) numbers of n events.

        Returns:
            (n, ...) results.
        """

    @abstractmethod
    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the results, given that of the input."""

    @abstractmethod
    def partial_sums(self, x: ValueRange) -> Array | None:
        """Return the largest absolute value of any partial sum, whatever the order of the terms.

        Returns:
            One number for each result; ``None`` where the layer computes no new numbers, so that
            nothing can be rounded on the way.
        """

    @abstractmethod
    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the type of the results.

        Args:
            input_type: the type of the input.
            results: the value range of the results.
        """


@dataclass(frozen=True, eq=False, kw_only=True)
class BinaryLayer(ABC):
    """A layer of two tensors; see :class:`UnaryLayer`."""

    name: str = field(kw_only=False)

    @abstractmethod
    def apply(self, x: Any, y: Any) -> Any:
        """Compute the layer exactly.

        Args:
            x: (n, ...) numbers of n events.
            y: likewise.

        Returns:
            (n, ...) results.
        """

    @abstractmethod
    def value_range(self, x: ValueRange, y: ValueRange) -> ValueRange:
        """Return the value range of the results, given those of the two inputs."""

    @abstractmethod
    def partial_sums(self, x: ValueRange, y: ValueRange) -> Array | None:
        """Return the largest absolute value of any partial sum; see :class:`UnaryLayer`."""

    @abstractmethod
    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the type of the results; see :class:`UnaryLayer`.

        Args:
            input_type: the type of the first input.
            results: the value range of the results.
        """


Layer = UnaryLayer | BinaryLayer
BACK_ENDS["evaluation and value ranges"] = lambda layer_class: not isabstract(layer_class)


def layer_classes() -> list[type[Layer]]:
    """Return the class of every layer that there is, a base class before its own."""

    def concrete(layer_class: type[Layer]) -> list[type[Layer]]:
        subclasses = layer_class.__subclasses__()
        own = [layer_class] if not (subclasses and isabstract(layer_class)) else []
        return own + [c for subclass in subclasses for c in concrete(subclass)]

    return [*concrete(UnaryLayer), *concrete(BinaryLayer)]


def value_range_after(layers: Iterable[UnaryLayer], x: ValueRange) -> ValueRange:
    """Return the value range of the results of a chain of layers, given that of its input."""
    for layer in layers:
        x = layer.value_range(x)
    return x


def apply_to_one(layer: Any, x: Array) -> Array:
    """Compute a layer of one tensor for a single event, given without the axis of the events."""
    result: Array = layer.apply(x[None])[0]
    return result

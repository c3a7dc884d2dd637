"""Input encoding: raw items to the (n, features) numbers that a student reads."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from l1distill.core.settings import Constants, Settings
from l1distill.core.workspace import write_json

MOMENTUM = "pT"
"""How the names of features begin that are momenta, which are never negative."""


class Feature(Settings):
    """One number that a student reads."""

    name: str
    """What it is, as the firmware's ports and the model card call it."""
    unit: str = ""
    """Of the raw number."""
    scale: float = Field(default=1.0, gt=0)
    """The raw number, in its unit, that becomes 1. A power of two only moves the binary point."""
    range: float | None = Field(default=None, gt=0)
    """The magnitude, in its unit, up to which a student's input holds it: ``scale`` times a power
    of two; None: what the student's ``input_integer`` gives."""
    signed: bool = True
    """Whether it can be negative; the input port of one that cannot has no sign bit."""
    step: float | None = Field(default=None, gt=0)
    """Of a number that is always a multiple of this, in its unit: ``scale`` times a power of two;
    its input port has no bits below. None for any number."""

    @model_validator(mode="after")
    def _range_is_a_shift(self) -> "Feature":
        if self.range is not None and math.frexp(self.range / self.scale)[0] != 0.5:
            raise ValueError(
                f"{self.name}: a range of {self.range:g} is not its scale of {self.scale:g} times "
                "a power of two"
            )
        return self

    @model_validator(mode="after")
    def _step_is_a_shift(self) -> "Feature":
        if self.step is not None and math.frexp(self.step / self.scale)[0] != 0.5:
            raise ValueError(
                f"{self.name}: a step of {self.step:g} is not its scale of {self.scale:g} times "
                "a power of two"
            )
        return self

    @property
    def label(self) -> str:
        """Its name with the unit, as on the axis of a plot."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


class InputEncoding(Constants):
    """How the raw numbers of an item become a student's features.

    A record and not code: models that were handed over years ago still read it.
    """

    shape: list[int] = Field(min_length=1)
    """The shape of an item."""
    features: list[Feature] = Field(min_length=1)
    """Of each number of the flattened item, the last index running fastest."""
    positions: list[int] = Field(default_factory=list)
    """Of each feature, which number of the flattened item it is; empty: all, in their order."""

    @model_validator(mode="after")
    def _one_feature_for_each_number(self) -> "InputEncoding":
        numbers = math.prod(self.shape)
        if len(self.features) != (len(self.positions) or numbers):
            raise ValueError(f"{len(self.features)} features for items of shape {self.shape}")
        if any(not 0 <= position < numbers for position in self.positions):
            raise ValueError(f"positions beyond items of shape {self.shape}")
        return self

    @property
    def feature_shape(self) -> list[int]:
        """The shape of an item's features before they were flattened."""
        return [len(self.features)] if self.positions else self.shape

    def write(self, path: Path) -> None:
        """Write the encoding, without positions where all numbers are features, and other steps."""
        content = self.model_dump(exclude=set() if self.positions else {"positions"})
        for feature in content["features"]:
            if feature["step"] is None:
                del feature["step"]
        write_json(path, content)

    def _flatten(self, items: NDArray[Any]) -> NDArray[Any]:
        flat = items.reshape(len(items), -1)
        return flat[:, self.positions] if self.positions else flat

    def exponents(self, integer: int) -> tuple[int, ...]:
        """Return the power of two, in units of its scale, that each input holds.

        Args:
            integer: the exponent of features without a range of their own.

        Returns:
            One for each feature; empty where none has a range.
        """
        if all(feature.range is None for feature in self.features):
            return ()
        return tuple(
            integer if one.range is None else round(math.log2(one.range / one.scale))
            for one in self.features
        )

    def check(self, items: NDArray[Any]) -> None:
        """Refuse items that no detector gives: not finite, or of negative pT.

        Args:
            items: (n, ...) raw items of the encoding's shape.

        Raises:
            ValueError: an item is so; the message names the first with the feature.
        """
        if items.size != len(items) * math.prod(self.shape):
            return  # of another shape, which apply refuses
        flat = self._flatten(items)
        momenta = [
            feature.name.startswith(MOMENTUM) or not feature.signed for feature in self.features
        ]
        wrong = ~np.isfinite(flat) | ((flat < 0) & momenta)
        if wrong.any():
            event, at = (int(place[0]) for place in np.nonzero(wrong))
            feature = self.features[at]
            raise ValueError(
                f"event {event}: {feature.name} is {flat[event, at]:g} {feature.unit}".rstrip()
                + "; it must be finite"
                + (" and not negative" if momenta[at] else "")
            )

    def apply(self, items: NDArray[Any]) -> NDArray[np.float32]:
        """Flatten and scale.

        Args:
            items: (n, ...) raw items of the encoding's shape.

        Returns:
            (n, features), not yet quantized.

        Raises:
            ValueError: the shape is another.
        """
        if items.shape[1:] != tuple(self.shape):
            expected = ", ".join(map(str, ["n", *self.shape]))
            raise ValueError(f"events must have the shape ({expected}), not {items.shape}")
        flat = self._flatten(items.astype(np.float32))
        flat /= np.asarray([feature.scale for feature in self.features], np.float32)
        return flat

"""Events that ranges are chosen on: given ones, or random ones within an assumed range."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.fixed_point import FixedPoint

RANDOM_EVENTS = 2048
"""Random events where none are given."""


class Calibration:
    """Events of a model, read or drawn when they are first needed.

    Attributes:
        is_assumed: whether they are random, so that their range is an assumption.
        note: a sentence that says so, once they were drawn; None before, and for given events.
    """

    def __init__(
        self,
        inputs: int,
        read: Callable[[int], NDArray[np.float64]] | None,
        input_range: float,
        seed: int,
    ) -> None:
        """Read and draw nothing yet.

        Args:
            inputs: how many the model has.
            read: returns (n, inputs) given events; None where there are none.
            input_range: random ones are drawn uniformly from plus or minus this.
            seed: of random ones.
        """
        self.is_assumed = read is None
        self.note: str | None = None
        self._inputs = inputs
        self._read = read
        self._input_range = input_range
        self._seed = seed
        self._events: NDArray[np.float64] | None = None

    def events(
        self, input_type: FixedPoint | None = None, units: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return (n, inputs) events; the same ones every time.

        Args:
            input_type: of the inputs where it is known: random events stay within its range.
            units: (inputs,) what a 1 of that type stands for at each input; 1 if None.
        """
        if self._events is None and self._read is not None:
            self._events = self._read(self._inputs)
        elif self._events is None:
            low, high = -self._input_range, self._input_range
            if input_type is not None:
                low, high = max(low, input_type.low), min(high, input_type.high)
            rng = np.random.default_rng(self._seed)
            self._events = rng.uniform(low, high, (RANDOM_EVENTS, self._inputs))
            if units is not None:
                self._events = self._events * units
                low, high = low * float(units.max()), high * float(units.max())
            self.note = (
                f"Inputs between {low:g} and {high:g} were assumed, as no events were given: "
                "ranges, and differences from the model, hold for those alone; name events= or "
                "precision.calibration="
            )
        return self._events

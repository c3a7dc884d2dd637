"""The meaning of a number that goes into a firmware or comes out of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """The meaning of an input or output of a network.

    A name such as ``pT of jet 1`` says the feature and, behind ``of``, the slot of the object.
    """

    name: str
    unit: str = ""
    scale: float = 1.0
    """The value of a 1 at the network's input or output, in ``unit``."""
    conversion: str = ""
    """How the firmware makes the network's input of the integer at the port, in words."""

    @property
    def feature(self) -> str:
        """Which number of its object it is."""
        return self.name.partition(" of ")[0]

    @property
    def slot(self) -> str:
        """The slot of the object; empty where the name has none."""
        return self.name.partition(" of ")[2]

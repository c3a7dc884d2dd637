"""A bus of the firmware: which bits hold which number."""

from dataclasses import dataclass

from l1distill.firmware.network.fixed_point import FixedPoint


@dataclass(frozen=True)
class Port:
    """A bus that carries an array: element 0 in the lowest bits, each of its own width.

    alkaid gives every element of the kernel's buses the bits that it needs: none to an input that
    pruning has cut off, fewer to an output that cannot reach the ends of its type.
    """

    name: str
    elements: tuple[FixedPoint, ...]

    @property
    def bits(self) -> int:
        """The width of the bus."""
        return sum(element.bits for element in self.elements)

    @property
    def lowest_bits(self) -> tuple[int, ...]:
        """The place of the lowest bit of each element."""
        places, at = [], 0
        for element in self.elements:
            places.append(at)
            at += element.bits
        return tuple(places)

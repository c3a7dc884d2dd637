"""Which candidates are trained together: as few shapes to compile, and as little filling, as pays.

A population has the widths of its widest candidate, and a graph is compiled for every shape of a
population. Both cost time: what is multiplied for nothing, and the compilation.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

POPULATION = 8
"""Most candidates that are trained together: more are hardly faster on a processor."""
COMPILATION = 1e11
"""What a shape costs: operations that a core could do in products while it is compiled."""
ACTIVATION = 230.0
"""What a node costs for each item beside its products, to be rounded and passed back; likewise."""

Widths = tuple[int, ...]


def filled_up(number: int, size: int = POPULATION) -> int:
    """Return how many candidates a population has with copies that are not trained.

    Another number is another shape, to be compiled anew.
    """
    return -(-number // size) * size


@dataclass(frozen=True, kw_only=True)
class Work:
    """What candidates cost, in floating-point operations.

    Attributes:
        features: numbers that each reads.
        outputs: numbers that each answers.
        items: that each is going to see, all epochs together.
        known: widths of hidden layers that are compiled already.
    """

    features: int
    outputs: int
    items: float
    known: frozenset[Widths] = frozenset()

    def of(self, widths: Widths, number: int) -> float:
        """Return the work of training so many candidates that are filled up to some widths."""
        if not number:
            return 0.0
        return number * self.of_one(widths) + (widths not in self.known) * COMPILATION

    def of_one(self, widths: Widths) -> float:
        """Return the work of training one: its products, and its nodes."""
        return self.products(widths) + self.items * ACTIVATION * sum(widths)

    def products(self, widths: Widths) -> float:
        """Return the operations in its products: a weight is used three times for each item."""
        layers = itertools.pairwise((self.features, *widths, self.outputs))
        return 6.0 * self.items * sum(a * b for a, b in layers)


def populations(
    candidates: Sequence[Widths], work: Work, size: int = POPULATION
) -> list[tuple[Widths, list[int]]]:
    """Divide candidates into populations.

    Args:
        candidates: the widths of the hidden layers of each, of any depths.
        work: what they cost; the more items, the less a compilation matters.
        size: most candidates of a population.

    Returns:
        The widths of each population, and the places of its candidates in the order in which they
        were given.
    """
    groups: dict[Widths, list[int]] = defaultdict(list)
    for number, widths in enumerate(candidates):
        groups[widths].append(number)
    divided = []
    for depth in sorted({len(widths) for widths in candidates}):
        of_depth = {widths: group for widths, group in groups.items() if len(widths) == depth}
        of_depth |= {
            widths: of_depth.get(widths, []) for widths in work.known if len(widths) == depth
        }
        for widths, members in sorted(_merged(of_depth, work).items()):
            members = sorted(members)
            divided += [(widths, members[n : n + size]) for n in range(0, len(members), size)]
    return divided


def _merged(groups: dict[Widths, list[int]], work: Work) -> dict[Widths, list[int]]:
    """Merge the two groups that this saves most work of, as long as it saves any."""
    heap: list[tuple[float, list[Widths], list[int]]] = []

    def sizes(several: Sequence[Widths]) -> list[int]:
        return [len(groups.get(widths, ())) for widths in several]

    def offer(one: Widths, other: Widths) -> None:
        wide = tuple(max(pair) for pair in zip(one, other, strict=True))
        several = list(dict.fromkeys((wide, one, other)))
        numbers = sizes(several)
        apart = sum(map(work.of, several, numbers))
        if (saved := apart - work.of(wide, sum(numbers))) > 0:
            heapq.heappush(heap, (-saved, several, numbers))

    for pair in itertools.combinations(sorted(groups), 2):
        offer(*pair)
    while heap:
        _, several, numbers = heapq.heappop(heap)
        if sizes(several) != numbers:
            continue  # one of them has been merged since
        wide, *_ = several
        groups[wide] = [number for widths in several for number in groups.pop(widths, [])]
        for widths in sorted(groups):
            if widths != wide:
                offer(widths, wide)
    return groups

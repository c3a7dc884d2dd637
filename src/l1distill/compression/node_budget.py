"""How many nodes and features stay on: of all, of each layer, and after each step of a training."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from l1distill.compression.node_settings import NodePruningSettings
from l1distill.core.errors import ConfigError

LEAST_NODES = 2
"""Nodes that every layer keeps, so that something can go through it."""
FEATURES = "features"
"""Name of the input among the layers."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Nodes, or features, that compete with one another.

    Attributes:
        sizes: of each layer, how many there are.
        keep: how many of all of them stay on.
        least: of each layer, how many stay on at least.
    """

    sizes: Mapping[str, int]
    keep: int
    least: Mapping[str, int]

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.sizes.values())


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When they are switched off: ``k(t) = ceil(K + (N - K) (1 - r)^3)``.

    ``r`` rises from 0 to 1 between two steps (Zhu and Gupta, arXiv:1710.01878, equation 1, with
    numbers of nodes in the place of shares of zeros).

    Attributes:
        begin: the last step of which all are on.
        end: the step after which as many are on as were asked for; nothing changes behind it.
    """

    begin: int
    end: int

    @classmethod
    def of(cls, settings: NodePruningSettings, steps: int) -> "Schedule":
        """Return the schedule of a training of so many steps."""
        begin = math.floor(settings.begin * steps)
        return cls(begin=begin, end=min(max(begin + 1, math.ceil(settings.end * steps)), steps))

    def progress(self, step: int) -> float:
        """Return r after a step; the first is 1."""
        return min(max((step - self.begin) / (self.end - self.begin), 0.0), 1.0)

    def keep(self, budget: Budget, step: int) -> int:
        """Return how many are on after a step."""
        more = (budget.total - budget.keep) * (1.0 - self.progress(step)) ** 3
        return math.ceil(budget.keep + more)


def node_budgets(settings: NodePruningSettings, widths: Mapping[str, int]) -> list[Budget]:
    """Return what competes with what among the nodes; nothing where all are kept.

    Args:
        settings: how many of which layers.
        widths: nodes of each hidden layer, by its name.

    Raises:
        ConfigError: a layer is not there, or so few or so many nodes cannot be left.
    """
    for name in settings.layers:
        if name not in widths:
            raise ConfigError(
                f"compression.layers: there is no hidden layer {name!r}"
                f"{_nearest(name, list(widths))}; there are {', '.join(widths)}"
            )
    if settings.nodes is None:
        return []
    chosen = {n: w for n, w in widths.items() if n in settings.layers or not settings.layers}
    least = {name: min(LEAST_NODES, width) for name, width in chosen.items()}
    keep = _number(settings.nodes, "nodes", sum(chosen.values()), sum(least.values()), len(chosen))
    whole = Budget(sizes=chosen, keep=keep, least=least)
    if settings.scope == "global":
        return [whole]
    return [
        Budget(sizes={name: chosen[name]}, keep=share, least={name: least[name]})
        for name, share in proportional(whole).items()
    ]


def feature_budget(settings: NodePruningSettings, features: int) -> Budget | None:
    """Return the budget of the input features; None where all are kept.

    Args:
        settings: how many.
        features: how many there are.

    Raises:
        ConfigError: so few or so many cannot be left.
    """
    if settings.features is None:
        return None
    keep = _number(settings.features, "features", features, 1, 1)
    return Budget(sizes={FEATURES: features}, keep=keep, least={FEATURES: 1})


def proportional(budget: Budget) -> dict[str, int]:
    """Return how many of each layer are left where each keeps the same share."""
    share = budget.keep / budget.total
    return _filled(budget, {name: size * share for name, size in budget.sizes.items()})


def even(budget: Budget) -> dict[str, int]:
    """Return how many of each layer are left where layers are as equal as their sizes allow."""
    return _filled(budget, dict.fromkeys(budget.sizes, budget.keep / len(budget.sizes)))


def _filled(budget: Budget, wanted: Mapping[str, float]) -> dict[str, int]:
    """Round to whole numbers within the limits whose sum is the budget."""
    kept = {
        name: min(max(math.floor(number), budget.least[name]), budget.sizes[name])
        for name, number in wanted.items()
    }
    while (missing := budget.keep - sum(kept.values())) != 0:
        step = 1 if missing > 0 else -1
        limit = budget.sizes if step > 0 else budget.least
        able = [name for name in kept if kept[name] != limit[name]]
        name = max(able, key=lambda one: step * (wanted[one] - kept[one]))
        kept[name] += step
    return kept


def _number(asked: float, key: str, total: int, least: int, layers: int) -> int:
    number = asked if isinstance(asked, int) else round(asked * total)
    said = f"compression.{key}={asked:g}"
    if not isinstance(asked, int):
        said += f", {number} of {total}"
    if number < least:
        why = f"each of {layers} layers keeps {LEAST_NODES}; " if key == "nodes" else ""
        share = next(n / 1000 for n in range(1, 1001) if round(n / 1000 * total) >= least)
        raise ConfigError(f"{said}: too few; {why}the smallest is {least}, a share of {share:g}")
    if number > total:
        raise ConfigError(f"{said}: there are {total}; the largest is {total}, a share of 1.0")
    return int(number)


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}" if near else ""

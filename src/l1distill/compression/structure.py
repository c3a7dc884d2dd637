"""What is left of a network: nodes of each layer, and input features."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError
from l1distill.core.workspace import read_json, write_json


@dataclass(frozen=True, kw_only=True)
class KeptStructure:
    """What a student was left with, as its folder keeps it.

    Attributes:
        nodes: of each hidden layer how many are left, and of how many.
        features: names of the inputs that are left; None where none went.
        of_features: inputs that there are.
        nodes_by_epoch: (epochs, layers) nodes after each epoch; empty where they do not change.
    """

    nodes: Mapping[str, Sequence[int]]
    features: Sequence[str] | None
    of_features: int
    nodes_by_epoch: Sequence[Sequence[int]]

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> "KeptStructure":
        """Read what :meth:`write` wrote.

        Raises:
            DataError: the file is missing or damaged.
        """
        content = read_json(path)
        try:
            kept = cls(**content)
            kept.words()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{path}: is damaged ({error}); run student again") from error
        return kept

    def words(self) -> list[str]:
        """Return a sentence on the nodes, and one that names the features that are left."""
        nodes = ", ".join(f"{left} of {of} in {name}" for name, (left, of) in self.nodes.items())
        total, of_all = (sum(numbers) for numbers in zip(*self.nodes.values(), strict=True))
        said = [f"Nodes that are left: {total} of {of_all} ({nodes})."]
        if self.features is not None:
            names = ", ".join(self.features)
            said.append(f"Features: {len(self.features)} of {self.of_features} ({names}).")
        return said


@dataclass(frozen=True, kw_only=True, eq=False)
class Structure:
    """What is left of a network.

    Attributes:
        nodes: nodes that are on, by layer.
        of_nodes: nodes that there were, by layer.
        nodes_asked: how many of these were to be left; None where no node was to go.
        features: numbers of the inputs that are on; None where no feature was to go.
        of_features: inputs that there are.
        features_asked: how many of these were to be left.
        counts: (epochs, layers) nodes of each layer after each epoch, in the order of ``nodes``;
            empty where they do not change.
    """

    nodes: Mapping[str, int]
    of_nodes: Mapping[str, int]
    nodes_asked: int | None = None
    features: Sequence[int] | None = None
    of_features: int = 0
    features_asked: int | None = None
    counts: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 0), np.int64))

    def kept(self, names: Sequence[str]) -> KeptStructure:
        """Return what is left, features by name.

        Args:
            names: of the input features.
        """
        return KeptStructure(
            nodes={name: (n, self.of_nodes[name]) for name, n in self.nodes.items()},
            features=None if self.features is None else [names[n] for n in self.features],
            of_features=len(names),
            nodes_by_epoch=self.counts.astype(int).tolist(),
        )

    def metrics(self) -> dict[str, float]:
        """Return ``nodes_used``, ``nodes_asked``, ``nodes_before`` and those of features.

        Of each layer there is ``nodes_used/<layer>``.
        """
        metrics: dict[str, float] = {}
        if self.nodes_asked is not None:
            metrics["nodes_asked"] = float(self.nodes_asked)
            metrics["nodes_used"] = float(sum(self.nodes.values()))
            metrics["nodes_before"] = float(sum(self.of_nodes.values()))
            metrics |= {f"nodes_used/{name}": float(n) for name, n in self.nodes.items()}
        if self.features is not None and self.features_asked is not None:
            metrics["features_asked"] = float(self.features_asked)
            metrics["features_used"] = float(len(self.features))
            metrics["features_before"] = float(self.of_features)
        return metrics

"""What a user chooses about a search; mirrors ``conf/search/``."""

import itertools
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from l1distill.compression.pruning import PruningSettings, check_order
from l1distill.core.settings import Settings
from l1distill.search.sampling import Sampler
from l1distill.search.space import SpaceSettings
from l1distill.training.settings import TrainingSettings

if TYPE_CHECKING:
    from typing import Self

Strategy = Literal["post", "co", "front", "hgq"]


class SearchSettings(Settings):
    """How many candidates of which space, and how they are chosen and trained."""

    candidates: int = Field(default=200, ge=1, le=1_000_000)
    """Candidates of the whole search; more of them continue a search of the same name."""
    generation: int = Field(default=64, ge=1, le=4096)
    """Candidates that the sampler is asked for at a time; it learns from those before."""
    sampler: Sampler = "tpe"
    """Of Optuna: ``random``, ``tpe`` (tree-structured Parzen estimator) or ``nsga2`` (genetic)."""
    rungs: list[Annotated[int, Field(ge=1)]] = Field(default=[1, 3])
    """Epochs after which a generation is thinned out; empty: all candidates are trained in full."""
    factor: float = Field(default=3.0, gt=1)
    """One of so many candidates goes on behind each rung, and the front of loss and cost behind the
    first (``strategy=front``: behind each)."""
    training: TrainingSettings = TrainingSettings(
        epochs=10, batch_size=1024, learning_rate=0.003, patience=10
    )
    """Training of candidates; the learning rate is that of each."""
    begin_epoch: int = Field(default=1, ge=0)
    """Epoch in which weights of candidates begin to be pruned."""
    end_epoch: int = Field(default=5, gt=0)
    """Epoch from which they are as sparse as they are to be."""
    finalists: int = Field(default=3, ge=0, le=100)
    """Candidates that are trained anew in QKeras, as ``l1distill student`` does it."""
    seeds: int = Field(default=2, ge=1, le=100)
    """Times that each of them is trained, each with another seed."""
    name: str = Field(default="search", min_length=1, max_length=200)
    """Name of the search in its database."""
    database: str | None = None
    """Address of a database that workers on several machines share, such as
    ``postgresql://host/name``; null: a file beside the output."""
    space: SpaceSettings = SpaceSettings()
    """What candidates may be."""

    @model_validator(mode="after")
    def _in_order(self) -> "Self":
        check_order(self.begin_epoch, self.end_epoch)
        epochs = self.training.epochs
        if self.rungs != sorted(set(self.rungs)) or (self.rungs and self.rungs[-1] >= epochs):
            raise ValueError(
                f"rungs={self.rungs}: name epochs in order, all before search.training.epochs="
                f"{epochs}"
            )
        if max(self.space.sparsity) > 0 and epochs <= self.pruning.end_epoch:
            raise ValueError(
                f"training.epochs={epochs} leaves no epoch after search.end_epoch="
                f"{self.end_epoch}; train longer, prune earlier or set search.space.sparsity=[0]"
            )
        return self

    @property
    def pruning(self) -> PruningSettings:
        """When candidates are pruned; how many weights is that of each."""
        return PruningSettings(begin_epoch=self.begin_epoch, end_epoch=self.end_epoch)

    @property
    def until(self) -> list[int]:
        """The epoch behind the last of each rung; the last rung is the whole training."""
        return [*self.rungs, self.training.epochs]

    def epochs_ahead(self, rung: int) -> float:
        """Return the epochs that a candidate of a rung is trained for from there on, on average."""
        rungs = itertools.pairwise([0, *self.until][rung:])
        return sum((end - begin) / self.factor**n for n, (begin, end) in enumerate(rungs))

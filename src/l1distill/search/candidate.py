"""A candidate of a search: the settings of a student, and how it is trained."""

from dataclasses import dataclass

from l1distill.compression.pruning import PruningSettings
from l1distill.distillation.settings import Distance, DistillationSettings
from l1distill.models.mlp import StudentSettings


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A multilayer perceptron that may become a student.

    Attributes:
        student: its layers, the width of every number, and its training.
        sparsity: share of the weights of each layer that become zero, by magnitude.
        rounds: whether its numbers are rounded; else they have the ranges of their types and
            nothing is rounded, as in the float phase of a student.
        seed: of its first weights.
        knowledge: distance from the teacher's answer that it learns with; None: that of all.
    """

    student: StudentSettings
    sparsity: float = 0.0
    rounds: bool = True
    seed: int = 0
    knowledge: Distance | None = None

    @property
    def widths(self) -> tuple[int, ...]:
        """Nodes of the hidden layers."""
        return tuple(self.student.layers)

    def pruning(self, schedule: PruningSettings) -> PruningSettings:
        """Return its pruning: its sparsity, at the epochs of a schedule."""
        return schedule.model_copy(update={"sparsity": self.sparsity})

    def distillation(self, settings: DistillationSettings) -> DistillationSettings:
        """Return how it learns, where it is trained alone."""
        if self.knowledge is None:
            return settings
        return settings.model_copy(update={"loss": self.knowledge})

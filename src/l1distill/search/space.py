"""The space that a search draws candidates from, and the samplers that draw."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field, model_validator

from l1distill.core.settings import Settings
from l1distill.distillation.settings import Distance
from l1distill.models.mlp import StudentSettings
from l1distill.search.candidate import Candidate

if TYPE_CHECKING:
    from typing import Self

Phase = Literal["architecture", "quantization", "both"]
"""What is searched: the layers, the types, or both at once."""

Nodes = Annotated[int, Field(gt=0, le=512)]
Bits = Annotated[int, Field(ge=2, le=16)]
Integer = Annotated[int, Field(ge=0, le=8)]
Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=1)]


class SpaceSettings(Settings):
    """What candidates may be: a list of choices in order of size for each question.

    What is not searched is as in the section ``student``.
    """

    depth: list[Annotated[int, Field(ge=1, le=6)]] = Field(default=[1, 2, 3], min_length=1)
    """Number of hidden layers."""
    nodes: list[Nodes] = Field(default=[4, 8, 12, 16, 24, 32, 48, 64], min_length=1)
    """Nodes of a hidden layer; each has its own."""
    weight_bits: list[Bits] = Field(default=[2, 3, 4, 5, 6, 8], min_length=1)
    """Bits of a weight and of a bias."""
    weight_integer: list[Integer] = Field(default=[0, 1], min_length=1)
    """Integer bits of a weight and of a bias, without the sign."""
    activation_bits: list[Bits] = Field(default=[3, 4, 5, 6, 8], min_length=1)
    """Bits of an activation."""
    activation_integer: list[Integer] = Field(default=[2, 3], min_length=1)
    """Integer bits of an activation."""
    input_bits: list[Bits] = Field(default=[6, 8, 10], min_length=1)
    """Bits of an input."""
    per_layer: bool = True
    """Whether each layer has its own bits of weights and activations."""
    sparsity: list[Share] = Field(default=[0.0, 0.5, 0.75], min_length=1)
    """Share of the weights of each layer that become zero."""
    learning_rate: tuple[Rate, Rate] = (1e-3, 1e-2)
    """Smallest and largest learning rate; even in its logarithm."""
    knowledge: list[Distance] = Field(default=[])
    """Distances from the teacher's answer that candidates may learn with; empty:
    ``distillation.loss``, by which all are judged in any case."""

    @model_validator(mode="after")
    def _in_order(self) -> "Self":
        for name in type(self).model_fields:
            values = getattr(self, name)
            if name == "knowledge":
                if len(values) != len(set(values)):
                    raise ValueError(f"knowledge={values}: name each choice once")
            elif isinstance(values, list) and values != sorted(set(values)):
                raise ValueError(f"{name}={values}: name each choice once, the smallest first")
        low, high = self.learning_rate
        if low > high:
            raise ValueError(f"learning_rate={[low, high]}: give the smallest first")
        return self

    def draw(self, trial: "Trial", phase: Phase, depth: int = 0) -> None:
        """Suggest everything that a phase searches.

        Args:
            trial: of Optuna.
            phase: what is searched.
            depth: number of hidden layers, where it is not.
        """
        if phase != "quantization":
            depth = self.depth[trial.suggest_int("depth", 0, len(self.depth) - 1)]
            for layer in range(depth):
                trial.suggest_int(f"nodes_{layer}", 0, len(self.nodes) - 1)
        if phase != "architecture":
            for name, places in self._types(depth):
                for place in places:
                    trial.suggest_int(f"{name}{place}", 0, len(getattr(self, name)) - 1)
        if len(self.knowledge) > 1:
            trial.suggest_categorical("knowledge", self.knowledge)
        low, high = self.learning_rate
        trial.suggest_float("learning_rate", low, high, log=True)

    def _types(self, depth: int) -> Sequence[tuple[str, Sequence[str]]]:
        """Return what is asked of types, and what stands behind the name of each question."""
        layers = [f"_{layer}" for layer in range(depth + 1)] if self.per_layer else [""]
        hidden = layers[:depth] if self.per_layer else layers
        return (
            ("weight_bits", layers),
            ("weight_integer", [""]),
            ("activation_bits", hidden),
            ("activation_integer", [""]),
            ("input_bits", [""]),
            ("sparsity", [""]),
        )

    def candidate(
        self, drawn: Mapping[str, Any], phase: Phase, base: StudentSettings, seed: int
    ) -> Candidate:
        """Return what was drawn as a candidate.

        Args:
            drawn: by name the place of each choice in its list, or the number itself.
            phase: what was searched.
            base: what was not.
            seed: of its first weights.
        """
        changes: dict[str, Any] = {}
        if phase != "quantization":
            depth = self.depth[drawn["depth"]]
            changes["layers"] = [self.nodes[drawn[f"nodes_{layer}"]] for layer in range(depth)]
            changes |= one_for_all(base)
        sparsity = 0.0
        if phase != "architecture":
            depth = len(changes.get("layers", base.layers))
            for name, places in self._types(depth):
                chosen = [getattr(self, name)[drawn[f"{name}{place}"]] for place in places]
                value = chosen if places[0] else chosen[0]
                if name == "sparsity":
                    sparsity = float(chosen[0])
                else:
                    changes[name] = value
            changes |= {"bias_bits": None, "bias_integer": None}
        rate = {"learning_rate": drawn["learning_rate"]}
        changes["training"] = base.training.model_copy(update=rate)
        student = StudentSettings.model_validate({**dict(base), **changes})
        return Candidate(
            student=student,
            sparsity=sparsity,
            rounds=phase != "architecture",
            seed=seed,
            knowledge=drawn.get("knowledge", next(iter(self.knowledge), None)),
        )


def one_for_all(base: StudentSettings) -> dict[str, Any]:
    """Return widths that are given layer by layer as the first of them: layers are searched."""
    return {
        name: value[0]
        for name, value in dict(base).items()
        if isinstance(value, list) and name != "layers"
    }


class Trial(Protocol):
    """What a space needs of a trial of Optuna."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Choose a whole number, ends included."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Choose one of several that have no order."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Choose a number."""

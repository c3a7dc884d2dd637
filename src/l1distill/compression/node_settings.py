"""What is chosen of node pruning: how many nodes and features are left, and how they are chosen."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from l1distill.compression.settings import CompressionSettings

Amount = Annotated[float, Field(gt=0)]
"""A number of nodes, or of features; below 1, or with a point, a share of all there are."""
Score = Literal[
    "straight_through", "fisher", "sigmoid", "hard_concrete", "magnitude", "random", "from_scratch"
]
FeatureScore = Literal[
    "straight_through",
    "fisher",
    "sigmoid",
    "hard_concrete",
    "magnitude",
    "random",
    "permutation",
]


def _amounts(name: str) -> str:
    return f"give a whole number of {name}, at least 1, or a share of them, above 0 and up to 1.0"


class NodePruningSettings(CompressionSettings):
    """How many nodes and input features a network is left with, and how they are chosen.

    They are switched off while it is trained, until exactly as many are on as were asked for, and
    then removed.
    """

    method: Literal["autopruner"] = "autopruner"
    """What is done; each has settings of its own."""
    nodes: int | Amount | None = 0.5
    """Nodes that are left of the hidden layers: a number (19), or a share of all (0.1; 1.0 is all);
    null: all. Of a convolution, a filter is a node."""
    features: int | Amount | None = None
    """Input features that are left: a number, or a share of all; null: all."""
    layers: tuple[str, ...] = ()
    """Layers whose nodes are switched off, by name (dense_1, conv_1); empty: all hidden ones."""
    scope: Literal["global", "layer"] = "global"
    """``global``: the nodes of all layers compete with one another; ``layer``: each layer keeps the
    same share of its own."""
    score: Score = "fisher"
    """What decides between nodes: ``fisher`` (squared gradients), ``straight_through`` (trained
    scores: as good on average, now and then a seed is worse), or a method to compare with:
    ``sigmoid`` gates, ``hard_concrete`` gates, ``magnitude`` of weights, ``random``,
    ``from_scratch`` (a network of that size, layers even)."""
    feature_score: FeatureScore = "fisher"
    """What decides between features: as ``score``, or ``permutation`` (how much the validation loss
    rises where a feature is shuffled), to compare with."""
    sparsity: float = Field(default=0.0, ge=0, lt=1)
    """Share of the weights between the nodes that are left that is set to zero as well, of each
    hidden layer, by magnitude; 0: none."""
    begin: float = Field(default=0.2, ge=0, lt=1)
    """Share of the training's steps after which nodes begin to be switched off."""
    end: float = Field(default=0.65, gt=0, lt=1)
    """Share of the steps after which as many are on as were asked for; they stay so."""
    fine_tune: Literal["cosine", "constant"] = "cosine"
    """Learning rate after that: ``cosine`` falls from its value to zero over the epochs that are
    left; ``constant``: as ``training.schedule`` has it."""

    @field_validator("nodes", "features", mode="before")
    @classmethod
    def _is_number(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        raise ValueError(_amounts(str(info.field_name)))

    @model_validator(mode="after")
    def _makes_sense(self) -> "NodePruningSettings":
        if self.begin >= self.end:
            raise ValueError(f"begin={self.begin:g} must come before end={self.end:g}")
        for name in ("nodes", "features"):
            amount = getattr(self, name)
            if amount is not None and (amount <= 0 or (isinstance(amount, float) and amount > 1)):
                raise ValueError(f"{name}={amount:g}: {_amounts(name)}")
        if self.score == "from_scratch" and self.sparsity:
            raise ValueError(
                f"sparsity={self.sparsity:g}: score=from_scratch sets no weight to zero; set "
                "sparsity=0"
            )
        if self.score == "from_scratch" and self.features is not None:
            raise ValueError(
                f"features={self.features:g}: score=from_scratch chooses no features; set "
                "features=null"
            )
        return self

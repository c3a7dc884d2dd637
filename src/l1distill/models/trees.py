"""The student that is no neural network: a sum of decision trees behind quantized inputs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from l1distill.models.students import OUTPUT_LAYER, StudentBase, quantized_inputs

if TYPE_CHECKING:
    from tensorflow import keras


class TreesSettings(StudentBase):
    """Gradient-boosted decision trees, and the width of every number in them."""

    family: Literal["trees"] = "trees"
    """What kind of model it is; each has settings of its own."""
    trees: int = Field(default=30, gt=0, le=256)
    """Maximum number of trees of an output; the validation split decides how many are kept."""
    depth: int = Field(default=4, ge=1, le=6)
    """Comparisons from a tree's first node to a leaf: a table of ``2**depth`` leaves."""
    learning_rate: float = Field(default=0.3, gt=0, le=1)
    """Share of what is left to learn that a tree takes over."""
    min_events_leaf: int = Field(default=20, ge=1)
    """Fewest items of the training split in a leaf."""
    compared_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the features that a node chooses from, drawn anew for each node."""
    sampled: float = Field(default=1.0, gt=0, le=1)
    """Share of the training split that a tree is shown, drawn anew for each tree."""
    patience: int = Field(default=10, gt=0)
    """Trees without a better validation loss after which the training stops."""
    leaf_bits: int = Field(default=10, ge=2, le=16)
    """Bits of a leaf value, with a sign; the range is that of the first tree."""


def build_trees(
    settings: TreesSettings,
    features: int,
    trees: int,
    outputs: int = 1,
    input_exponents: Sequence[int] = (),
) -> "keras.Model":
    """Build the student with trees whose weights are all zero.

    Thresholds are parts of each input's range, as the bits of its port are.

    Args:
        settings: its depth and the width of every number.
        features: numbers that it reads.
        trees: how many, of all outputs together.
        outputs: numbers that it answers.
        input_exponents: of each feature the power of two that its input's range is; empty:
            ``settings.input_integer`` for all.

    Returns:
        A model from scaled features (n, features) to answers (n, outputs), both on the firmware's
        grid.
    """
    from tensorflow.keras import Model

    from l1distill.models.decision_trees import TreeEnsemble

    exponents = list(input_exponents) or [settings.input_integer] * features
    inputs, x = quantized_inputs(settings, features, exponents, in_units=False)
    x = TreeEnsemble(trees, settings.depth, outputs, name=OUTPUT_LAYER)(x)
    return Model(inputs, x, name="student")


def compared_numbers(student: "keras.Model") -> "keras.Model":
    """Return the part of the student that makes the numbers which thresholds are compared with."""
    from tensorflow.keras import Model

    return Model(student.input, student.get_layer(OUTPUT_LAYER).input)

"""The transfer term of distillation: all kinds of knowledge, weighted and summed."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from l1distill.distillation.distances import (
    cross_entropy,
    relational_distance,
    response_distance,
    squared_distance,
)
from l1distill.distillation.settings import (
    FEATURE,
    RECONSTRUCTION,
    RELATION,
    DistillationSettings,
    ResponseSettings,
)

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

RESPONSE = "response"
REGRESSED = (RECONSTRUCTION, FEATURE)
"""Kinds of knowledge that the student's hidden layer learns through a regressor."""


def standardized_kinds(settings: DistillationSettings) -> list[str]:
    """Name the kinds of knowledge whose numbers are to be centered and scaled."""
    return [kind for kind in settings.of_network if kind in REGRESSED]


class Transfer:
    """``T(teacher, student)`` of Bal et al., equation 1, and the regressors that it needs.

    Attributes:
        regressors: linear layers behind the student's last hidden layer, by kind of knowledge;
            trained with the student and dropped after it.
    """

    def __init__(
        self, settings: DistillationSettings, hidden: int, widths: Mapping[str, int]
    ) -> None:
        """Make the regressors, after the generators were seeded.

        Args:
            settings: kinds of knowledge with their weights.
            hidden: nodes of the student's last hidden layer.
            widths: numbers that a kind of knowledge has of an item.
        """
        from tensorflow.keras import layers

        self._settings = settings
        self.regressors: dict[str, keras.layers.Layer] = {}
        for kind in standardized_kinds(settings):
            regressor = layers.Dense(widths[kind], name=f"{kind}_regressor")
            regressor.build((None, hidden))
            self.regressors[kind] = regressor

    @property
    def needs_hidden(self) -> bool:
        """Whether the student's hidden layer is compared with anything."""
        return bool(self._settings.of_network)

    def __call__(
        self, answer: "tf.Tensor", hidden: "tf.Tensor | None", lesson: "Mapping[str, tf.Tensor]"
    ) -> "tf.Tensor":
        """Compute the term of each item.

        Args:
            answer: (n, outputs) of the student.
            hidden: (n, nodes) its last hidden layer; may be None where nothing needs it.
            lesson: of each kind of knowledge what the teacher says, (n, numbers).

        Returns:
            (n,).
        """
        settings = self._settings
        terms = []
        if settings.response.weight:
            compare = (
                cross_entropy
                if settings.response.answer == "decision"
                else response_distance(settings.loss, settings.temperature)
            )
            distance = compare(lesson[RESPONSE], answer)
            counted = count_high(distance, lesson[RESPONSE], settings.response)
            terms.append(weighted(settings.response.weight, counted))
        for kind, regressor in self.regressors.items():
            weight = getattr(settings, kind).weight
            terms.append(weighted(weight, squared_distance(lesson[kind], regressor(hidden))))
        if settings.relation.weight:
            compare = relational_distance(settings.relation)
            terms.append(weighted(settings.relation.weight, compare(lesson[RELATION], hidden)))
        return total(terms)


def count_high(
    distance: "tf.Tensor", wanted: "tf.Tensor", settings: ResponseSettings
) -> "tf.Tensor":
    """Return distances (n,), multiplied where an answer that is wanted (n, outputs) is high."""
    if settings.high_from is None:
        return distance
    import tensorflow as tf

    is_high = tf.reduce_max(wanted, axis=1) >= settings.high_from
    return distance * tf.where(is_high, settings.high_weight, 1.0)


def weighted(weight: float, value: "tf.Tensor") -> "tf.Tensor":
    """Return a value times its weight; the value itself where the weight is 1."""
    return value if weight == 1.0 else weight * value


def total(terms: "Iterable[tf.Tensor]") -> "tf.Tensor":
    """Return the sum of terms, of which there is at least one."""
    first, *others = terms
    for term in others:
        first = first + term
    return first

"""How far a student's numbers are from its teacher's: of each event of a batch."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from l1distill.distillation.settings import Distance, RelationSettings

if TYPE_CHECKING:
    import tensorflow as tf

_TINY = 1e-12
"""Squared distance up to which two events are at the same place."""

Compare = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]
"""From the teacher's numbers (n, k) and the student's (n, k) to (n,)."""


def response_distance(name: Distance, temperature: float) -> Compare:
    """Return the distance of two outputs.

    ``mse``, ``mae`` and ``huber`` are Keras's, a mean over the outputs. ``kl`` is the
    Kullback-Leibler divergence of the distributions that the outputs stand for as logits, divided
    by the temperature: of several outputs those of a softmax, of a single one those of yes and no.
    It is multiplied by the temperature squared, so that its gradients do not shrink with it.

    Source:
        Hinton, Vinyals, Dean, arXiv:1503.02531, section 2.1.
    """
    if name == "kl":
        return lambda teacher, student: _divergence(teacher, student, temperature)
    from tensorflow import keras

    distance: Compare = keras.losses.get(name)
    return distance


def _divergence(teacher: "tf.Tensor", student: "tf.Tensor", temperature: float) -> "tf.Tensor":
    import tensorflow as tf

    teacher, student = (
        _log_probabilities(teacher / temperature),
        _log_probabilities(student / temperature),
    )
    terms = tf.exp(teacher) * (teacher - student)
    return temperature**2 * tf.reduce_sum(terms, axis=1)


def _log_probabilities(logits: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    if logits.shape[1] == 1:
        logits = tf.concat([tf.zeros_like(logits), logits], axis=1)
    return tf.nn.log_softmax(logits)


def cross_entropy(decision: "tf.Tensor", logit: "tf.Tensor") -> "tf.Tensor":
    """Return the cross-entropy of decisions (n, 1) of 0 or 1 and the logits (n, 1) of yes."""
    import tensorflow as tf

    terms = tf.nn.sigmoid_cross_entropy_with_logits(labels=decision, logits=logit)
    return tf.reduce_mean(terms, axis=1)


def squared_distance(teacher: "tf.Tensor", student: "tf.Tensor") -> "tf.Tensor":
    """Return the mean squared distance of activations (n, k), (n,)."""
    import tensorflow as tf

    return tf.reduce_mean(tf.square(teacher - student), axis=1)


def relational_distance(settings: RelationSettings) -> Compare:
    """Return how differently events lie to one another in two spaces (n, k) and (n, m).

    A batch is cut into groups of ``settings.group`` events; the last one overlaps with that before
    it where the batch is no multiple. Distances of pairs are divided by their mean over the group,
    angles are cosines, and both are compared by the Huber loss. Every event of the batch is given
    the mean over the groups.

    Source:
        Park, Kim, Lu, Cho, "Relational Knowledge Distillation", arXiv:1904.05068, equations 5-9.
    """

    def distance(teacher: "tf.Tensor", student: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        rows = _groups(tf.shape(teacher)[0], settings.group)
        spaces = [tf.gather(space, rows) for space in (teacher, student)]
        total = tf.zeros(())
        if settings.distance:
            total += settings.distance * _huber(*map(_relative_distances, spaces))
        if settings.angle:
            total += settings.angle * _huber(*map(_angles, spaces))
        return tf.fill((tf.shape(teacher)[0],), total)

    return distance


def _groups(events: "tf.Tensor", size: int) -> "tf.Tensor":
    """Return the rows of each group, (groups, size or less)."""
    import tensorflow as tf

    size = tf.minimum(size, events)
    starts = tf.minimum(tf.range(0, events, size), events - size)
    return starts[:, None] + tf.range(size)


def _huber(teacher: "tf.Tensor", student: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    off = tf.abs(teacher - student)
    return tf.reduce_mean(tf.where(off <= 1.0, 0.5 * tf.square(off), off - 0.5))


def _differences(space: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
    """Return differences (groups, n, n, k) of events and their squared lengths (..., 1)."""
    import tensorflow as tf

    differences = space[:, :, None, :] - space[:, None, :, :]
    return differences, tf.reduce_sum(tf.square(differences), axis=3, keepdims=True)


def _lengths(squares: "tf.Tensor") -> "tf.Tensor":
    """Return lengths; that of zero is a tiny one, as a square root has no gradient there."""
    import tensorflow as tf

    return tf.sqrt(tf.maximum(squares, _TINY))


def _relative_distances(space: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    _, squares = _differences(space)
    apart = tf.cast(squares > _TINY, squares.dtype)
    lengths = _lengths(squares) * apart
    pairs = tf.maximum(tf.reduce_sum(apart, axis=(1, 2), keepdims=True), 1.0)
    mean = tf.reduce_sum(lengths, axis=(1, 2), keepdims=True) / pairs
    return lengths / tf.maximum(mean, 1e-12)


def _angles(space: "tf.Tensor") -> "tf.Tensor":
    """Return the cosine of the angle at each event between two others, (groups, n, n, n)."""
    import tensorflow as tf

    differences, squares = _differences(space)
    directions = differences / _lengths(squares)
    return tf.matmul(directions, directions, transpose_b=True)

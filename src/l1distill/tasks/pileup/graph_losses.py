"""Losses of the graph teacher: with the true hard fraction, or without labels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.columns import DetectorObjects
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.graph import positions

if TYPE_CHECKING:
    import tensorflow as tf

_TINY = 1e-6


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What losses take of a batch of events, padded.

    Attributes:
        momenta: (events, particles, 3) float32, pT [GeV], eta, phi [rad]; 0 for padding.
        hard_fraction: (events, particles) float32.
        alone: (events, particles', 3) float32, the same event without pileup.
    """

    momenta: NDArray[np.float32]
    hard_fraction: NDArray[np.float32]
    alone: NDArray[np.float32]

    def arrays(self) -> list[NDArray[np.float32]]:
        """Return them in the order of the losses' arguments."""
        return [self.momenta, self.hard_fraction, self.alone]


def build_targets(events: Events) -> Targets:
    """Build what losses take of a batch of events."""
    particles = events.particles
    return Targets(
        momenta=_pad_momenta(particles, len(events)),
        hard_fraction=_pad(particles, particles.hard_fraction, len(events)),
        alone=_pad_momenta(events.without_pileup, len(events)),
    )


def _pad_momenta(objects: DetectorObjects, count: int) -> NDArray[np.float32]:
    values = np.stack([objects.pt, objects.eta, objects.phi], axis=1)
    return _pad(objects, values, count)


def _pad(objects: DetectorObjects, values: NDArray[Any], count: int) -> NDArray[np.float32]:
    place = positions(objects.event, count)
    size = int(place.max(initial=0)) + 1
    padded = np.zeros((count, size, *values.shape[1:]), np.float32)
    padded[objects.event, place] = values
    return padded


def supervised_loss(
    weights: "tf.Tensor", momenta: "tf.Tensor", hard_fraction: "tf.Tensor", pt_power: float
) -> "tf.Tensor":
    """Return the cross-entropy with the true hard fraction, a mean weighted with pT.

    Args:
        weights: (events, particles) in [0, 1].
        momenta: see :class:`Targets`; padding has no pT and does not count.
        hard_fraction: (events, particles).
        pt_power: A particle counts as this power of its pT.
    """
    import tensorflow as tf

    pt = momenta[..., 0]
    share = tf.where(pt > 0, tf.pow(pt, pt_power), 0.0)
    clipped = tf.clip_by_value(weights, _TINY, 1.0 - _TINY)
    entropy = -hard_fraction * tf.math.log(clipped)
    entropy -= (1.0 - hard_fraction) * tf.math.log(1.0 - clipped)
    return tf.reduce_sum(share * entropy) / tf.reduce_sum(share)


def wasserstein_loss(
    weights: "tf.Tensor",
    momenta: "tf.Tensor",
    alone: "tf.Tensor",
    directions: "tf.Tensor",
) -> "tf.Tensor":
    """Return the sliced Wasserstein distance of the weighted event from that without pileup.

    A particle is the point sqrt(w pT) (cos phi, sin phi, eta / 2, 1), so that one without weight
    is at the origin, where padding is. The distance is the mean squared difference of the sorted
    projections on each direction.

    Args:
        weights: (events, particles) in [0, 1].
        momenta: see :class:`Targets`.
        alone: likewise.
        directions: (4, directions) unit vectors.

    Source:
        Mikuni and Nachman, arXiv:2211.02029, whose points are (eta, phi, log pT, log E).
    """
    import tensorflow as tf

    size = tf.maximum(tf.shape(momenta)[1], tf.shape(alone)[1])

    def projected(points: "tf.Tensor") -> "tf.Tensor":
        padded = tf.pad(points, [[0, 0], [0, size - tf.shape(points)[1]], [0, 0]])
        along = tf.tensordot(padded, directions, axes=1)
        return tf.sort(tf.transpose(along, [0, 2, 1]), axis=-1)

    difference = projected(_points(momenta, weights)) - projected(
        _points(alone, tf.ones_like(alone[..., 0]))
    )
    # a sum over particles: most are at the origin in both, and their number says nothing
    return tf.reduce_mean(tf.reduce_sum(tf.square(difference), axis=-1))


def _points(momenta: "tf.Tensor", weights: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    pt, eta, phi = tf.unstack(momenta, axis=-1)
    # the root's slope is infinite at zero
    root = tf.sqrt(weights * pt + _TINY) - _TINY**0.5
    angles = tf.stack([tf.cos(phi), tf.sin(phi), eta / 2.0, tf.ones_like(phi)], axis=-1)
    return root[..., None] * angles


def ptmiss_loss(weights: "tf.Tensor", momenta: "tf.Tensor", alone: "tf.Tensor") -> "tf.Tensor":
    """Return the mean squared difference of the vectors of missing pT [GeV^2]."""
    import tensorflow as tf

    def summed(values: "tf.Tensor", factor: "tf.Tensor") -> "tf.Tensor":
        pt, _, phi = tf.unstack(values, axis=-1)
        vector = tf.stack([tf.cos(phi), tf.sin(phi)], axis=-1) * (factor * pt)[..., None]
        return tf.reduce_sum(vector, axis=1)

    difference = summed(momenta, weights) - summed(alone, tf.ones_like(alone[..., 0]))
    return tf.reduce_mean(tf.reduce_sum(tf.square(difference), axis=-1))


def random_directions(number: int, seed: "tf.Tensor") -> "tf.Tensor":
    """Return unit vectors, (4, number), of a seed (2,)."""
    import tensorflow as tf

    drawn = tf.random.stateless_normal([4, number], seed)
    return drawn / tf.norm(drawn, axis=0, keepdims=True)

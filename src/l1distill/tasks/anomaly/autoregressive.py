"""The likelihood of an event, slot by slot: each object given those before it.

``-log p(event) = sum over slots of -log p(present | earlier) - present log p(object | earlier)``,
with ``p(object | earlier) = sum_k w_k Logistic(log pT) N(eta) vonMises(phi - phi of MET)``.
Events turned in phi have the same likelihood; that of the MET's own phi is flat and left out.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from l1distill.tasks.anomaly.events import MET, N_OBJECTS
from l1distill.training.fit import Step

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

PT_SCALE_GEV = 20.0
"""pT is counted in it: the threshold of most objects."""
FEATURES = 6
"""Numbers that the network reads of an object: present, log pT, pT, eta, cos and sin of phi."""
BACKGROUND = "background"
"""Layer that keeps what the scores of the background are."""
_OF_COMPONENT = 7
"""Weight; center and log-width of log pT and of eta; center and log-concentration of phi."""
_LOG_WIDTHS = (-4.0, 3.0)
_LOG_CONCENTRATIONS = (-4.0, 6.0)
_LOGIT_LIMIT = 15.0


def numbers_of_slot(components: int) -> int:
    """Return how many numbers describe what is expected of a slot."""
    return 1 + _OF_COMPONENT * components


def build(
    width: int, layers: int, components: int, ranks: int = 0, members: int = 1
) -> "keras.Model":
    """Build the untrained network.

    Args:
        width: numbers of a slot in a hidden layer.
        layers: hidden layers; each after the first adds to the one before it.
        components: of the mixture.
        ranks: scores whose values on the background the network keeps, in its last layer.
        members: networks of that kind side by side, which share the features alone.

    Returns:
        From the features of slots (n, 114), and for each hidden layer of each member the factors
        (n, 19 x width) that dropout gives it, ones where nothing is dropped, to (n, members x 19 x
        numbers of a slot).
    """
    from tensorflow import keras

    inputs = [keras.layers.Input((N_OBJECTS * FEATURES,), name="features")]
    expected = []
    for member in range(members):
        output, keep = _member(inputs[0], width, layers, components, prefix(member, members))
        expected.append(output)
        inputs += keep
    outputs = expected[0]
    if members > 1:
        outputs = keras.layers.Concatenate(name="expected")(expected)
    if ranks:
        from l1distill.models.background_sample import BackgroundSample

        outputs = BackgroundSample(ranks, name=BACKGROUND)(outputs)
    return keras.Model(inputs, outputs, name="autoregressive")


def prefix(member: int, members: int) -> str:
    """Return what the names of a member's layers begin with; nothing where it is alone."""
    return f"member_{member + 1}_" if members > 1 else ""


def _member(
    features: Any, width: int, layers: int, components: int, before: str
) -> tuple[Any, list[Any]]:
    """Return what a network expects of the slots, and its inputs beside the features."""
    from tensorflow import keras

    from l1distill.models.masked_dense import MaskedDense

    hidden, inputs = None, []
    for number, name in enumerate(f"{before}{layer}" for layer in hidden_layers(layers)):
        keep = keras.layers.Input((N_OBJECTS * width,), name=f"{name}_keep")
        # what reaches a slot's first hidden numbers is of earlier slots, so are all after it
        dense = MaskedDense(N_OBJECTS, width, strict=number == 0, name=f"{name}_dense")
        x = dense(features if hidden is None else hidden)
        x = keras.layers.Activation("swish", name=f"{name}_activation")(x)
        x = keras.layers.Multiply(name=f"{name}_kept" if number else name)([x, keep])
        hidden = x if hidden is None else keras.layers.Add(name=name)([hidden, x])
        inputs.append(keep)
    numbers = numbers_of_slot(components)
    return MaskedDense(N_OBJECTS, numbers, strict=False, name=f"{before}expected")(hidden), inputs


def hidden_layers(layers: int) -> list[str]:
    """Name the hidden layers, of whose numbers a slot's are those of the slots before it."""
    return [f"hidden_{number}" for number in range(1, layers + 1)]


def relative(objects: "tf.Tensor") -> "tf.Tensor":
    """Return pT in units of 20 GeV, eta, and phi less that of MET, (n, 19, 3); absent ones zero."""
    import tensorflow as tf

    present = tf.cast(objects[..., 0] > 0, tf.float32)
    phi = (objects[..., 2] - objects[:, MET : MET + 1, 2]) * present
    return tf.stack([objects[..., 0] / PT_SCALE_GEV, objects[..., 1] * present, phi], axis=-1)


def flipped(events: "tf.Tensor", step: Step) -> "tf.Tensor":
    """Mirror events of :func:`relative` in eta, and in phi at the MET, each by a fair coin."""
    import tensorflow as tf

    coins = tf.random.stateless_uniform((tf.shape(events)[0], 1, 2), _seed(step, 0)) < 0.5
    signs = tf.where(coins, -1.0, 1.0)
    return events * tf.concat([tf.ones_like(signs[..., :1]), signs], axis=-1)


def features(events: "tf.Tensor") -> "tf.Tensor":
    """Return what the network reads of events of :func:`relative`, (n, 114)."""
    import tensorflow as tf

    pt, eta, phi = tf.unstack(events, axis=-1)
    present = tf.cast(pt > 0, tf.float32)
    numbers = [present, _log_pt(pt, present), 0.2 * pt, 0.5 * eta, tf.cos(phi), tf.sin(phi)]
    inputs = tf.stack(numbers, axis=-1) * present[..., None]
    return tf.reshape(inputs, (-1, N_OBJECTS * FEATURES))


def dropped(events: "tf.Tensor", size: int, layer: int, rate: float, step: Step) -> "tf.Tensor":
    """Return the factors (n, size) that dropout gives a hidden layer: ones outside of a training.

    Args:
        events: (n, ...).
        size: numbers of the layer.
        layer: number of the layer, so that each has random numbers of its own.
        rate: share that is dropped.
        step: of the training.
    """
    import tensorflow as tf

    shape = (tf.shape(events)[0], size)
    if not step.training or not rate:
        return tf.ones(shape)
    keep = tf.random.stateless_uniform(shape, _seed(step, 1 + layer)) >= rate
    return tf.cast(keep, tf.float32) / (1.0 - rate)


def _seed(step: Step, purpose: int) -> Any:
    """Return the seed of a step's random numbers for a purpose; a step's numbers are small."""
    return step.seed + np.array([purpose << 20, 0], np.int32)


def negative_log_likelihood(
    outputs: "tf.Tensor", events: "tf.Tensor", linear_pt: bool
) -> "tf.Tensor":
    """Return -log p of events, (n,).

    Args:
        outputs: (n, 19 x numbers) what the network expects of each slot.
        events: (n, 19, 3) of :func:`relative`.
        linear_pt: whether it is a density in pT / 20 GeV, or in its logarithm.
    """
    import tensorflow as tf

    pt = events[..., 0]
    present = tf.cast(pt > 0, tf.float32)
    presence, objects = slot_terms(outputs, events)
    if linear_pt:
        objects += _log_pt(pt, present)
    return tf.reduce_sum(presence + present * objects, axis=1)


def of_members(
    outputs: "tf.Tensor", events: "tf.Tensor", linear_pt: bool, members: int
) -> "tf.Tensor":
    """Return -log of the mean of the members' densities, (n,).

    Args:
        outputs: (n, members x 19 x numbers) what the networks expect of each slot.
        events: (n, 19, 3) of :func:`relative`.
        linear_pt: see :func:`negative_log_likelihood`.
        members: how many.
    """
    import tensorflow as tf

    if members == 1:
        return negative_log_likelihood(outputs, events, linear_pt)
    each = [
        negative_log_likelihood(one, events, linear_pt)
        for one in tf.split(outputs, members, axis=-1)
    ]
    return math.log(members) - tf.reduce_logsumexp(-tf.stack(each), axis=0)


def slot_terms(outputs: "tf.Tensor", events: "tf.Tensor") -> tuple[Any, Any]:
    """Return of each slot -log p(present or absent) and -log p(log pT, eta, phi), (n, 19) each.

    The second is of no meaning where nothing is there. MET has neither an eta nor a phi of its own.
    """
    import tensorflow as tf

    pt, eta, phi = (events[..., number, None] for number in range(3))
    present = tf.cast(pt > 0, tf.float32)
    numbers = outputs.shape[-1] // N_OBJECTS
    of_slot = tf.reshape(outputs, (-1, N_OBJECTS, numbers))
    logit = tf.clip_by_value(of_slot[..., 0], -_LOGIT_LIMIT, _LOGIT_LIMIT)
    presence = tf.nn.softplus(logit) - present[..., 0] * logit
    parts = tf.split(of_slot[..., 1:], _OF_COMPONENT, axis=-1)
    weight, pt_center, pt_width, eta_center, eta_width, phi_center, concentration = parts
    pt_width, eta_width = (tf.clip_by_value(w, *_LOG_WIDTHS) for w in (pt_width, eta_width))
    z = (_log_pt(pt, present) - pt_center) * tf.exp(-pt_width)
    log_pt = -z - 2.0 * tf.nn.softplus(-z) - pt_width
    log_eta = -0.5 * tf.square((eta - eta_center) * tf.exp(-eta_width)) - eta_width
    log_eta -= 0.5 * math.log(2.0 * math.pi)
    kappa = tf.exp(tf.clip_by_value(concentration, *_LOG_CONCENTRATIONS))
    log_phi = kappa * (tf.cos(phi - phi_center) - 1.0)
    log_phi -= tf.math.log(2.0 * math.pi * tf.math.bessel_i0e(kappa))
    has_direction = tf.constant([float(slot != MET) for slot in range(N_OBJECTS)])[:, None]
    together = tf.nn.log_softmax(weight) + log_pt + has_direction * (log_eta + log_phi)
    return presence, -tf.reduce_logsumexp(together, axis=-1)


def _log_pt(pt: "tf.Tensor", present: "tf.Tensor") -> "tf.Tensor":
    """Return log(pT / 20 GeV), 0 where nothing is there."""
    import tensorflow as tf

    return tf.math.log(tf.where(present > 0, pt, tf.ones_like(pt)))

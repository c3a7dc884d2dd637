"""Networks on graphs of particles: edge convolutions with attention, to one weight a particle.

Source:
    ABCNet: Mikuni and Canelli, arXiv:2001.05311; as the teacher of pileup mitigation: Mikuni and
    Nachman, arXiv:2211.02029; Bal et al. 2024. The published architecture follows the code that was
    published with them.
"""

from typing import TYPE_CHECKING, Any

from tensorflow import keras

from l1distill.tasks.pileup.graph import LOG_PT, N_FEATURES, N_GEOMETRY
from l1distill.tasks.pileup.graph_settings import GraphSettings

if TYPE_CHECKING:
    import tensorflow as tf

_NO_NEIGHBOR = -1e4  # added to the attention of what is not connected
_DISTANCE = 2  # which number of the geometry is the distance
_LEAK = 0.01


def build_network(
    settings: GraphSettings, particles: int | None = None, features: int = N_FEATURES
) -> "keras.Model":
    """Build an untrained network.

    Its inputs are those of :meth:`.graph.Graphs.inputs`; its output are weights (events, particles)
    in [0, 1].

    Args:
        settings: architecture.
        particles: padded particles of an event; None for any number.
        features: of a particle.
    """
    from tensorflow.keras import Input, Model, layers

    k = settings.neighbors
    inputs = [
        Input((particles, features), name="features"),
        Input((particles, k), dtype="int32", name="neighbors"),
        Input((particles, k), name="connected"),
        Input((particles, k, N_GEOMETRY), name="geometry"),
    ]
    build = _published if settings.architecture == "published" else _compact
    weight = build(inputs, settings)
    # in float32 a sigmoid reaches 0 and 1, where the cross-entropy ends
    answer = layers.Reshape((particles or -1,), name="weight")(weight)
    return Model(inputs, answer, name=f"{settings.architecture}_graph")


def _compact(inputs: "list[tf.Tensor]", settings: GraphSettings) -> "tf.Tensor":
    from tensorflow.keras import layers

    features, neighbors, connected, geometry = inputs
    x = layers.Dense(settings.width, activation="gelu", name="embed")(features)
    for number in range(1, settings.blocks + 1):
        z = layers.LayerNormalization(name=f"norm_{number}")(x)
        gathered = NarrowEdges(settings.edge, name=f"edges_{number}")(
            [z, neighbors, connected, geometry]
        )
        both = layers.Concatenate(name=f"both_{number}")([z, gathered])
        step = layers.Dense(2 * settings.width, activation="gelu", name=f"wide_{number}")(both)
        x = layers.Add(name=f"skip_{number}")(
            [x, layers.Dense(settings.width, name=f"narrow_{number}")(step)]
        )
    x = layers.Dense(settings.width, activation="gelu", name="head")(x)
    return layers.Dense(1, activation="sigmoid", name="output")(x)


def _published(inputs: "list[tf.Tensor]", _: GraphSettings) -> "tf.Tensor":
    from tensorflow.keras import layers

    features, neighbors, connected, geometry = inputs
    x = layers.Dense(128, name="embed_1")(features)
    x = layers.LeakyReLU(_LEAK, name="leak_1")(layers.Dense(64, name="embed_2")(x))
    first = x
    for number in (1, 2):
        z = layers.LayerNormalization(epsilon=1e-6, name=f"norm_{number}")(x)
        pool = AttentionPooling(64, with_distance=number == 1, name=f"pooling_{number}")
        x = layers.Add(name=f"skip_{number}")([pool([z, neighbors, connected, geometry]), z])
        x = layers.Dense(128, activation="gelu", name=f"wide_{number}")(x)
        x = layers.Dense(64, activation="gelu", name=f"narrow_{number}")(x)
    x = layers.LayerNormalization(epsilon=1e-6, name="norm_3")(x)
    x = layers.Add(name="skip_3")([x, first])
    x = layers.LeakyReLU(_LEAK, name="leak_2")(layers.Dense(256, name="head_1")(x))
    x = layers.LeakyReLU(_LEAK, name="leak_3")(layers.Dense(128, name="head_2")(x))
    return layers.Dense(1, activation="sigmoid", name="output")(x)


@keras.utils.register_keras_serializable(package="l1distill")
class NarrowEdges(keras.layers.Layer):  # type: ignore[misc]
    """Edges V z_j - U z_i + G geometry, leaky; their attention-weighted sum and their mean.

    Both products are of nodes, before they are gathered, so that an edge costs no product with the
    width of a node.
    """

    def __init__(self, edge: int, **keywords: Any) -> None:
        """Take the numbers of an edge."""
        super().__init__(**keywords)
        self._edge = edge
        self._neighbor = keras.layers.Dense(edge, use_bias=False, name="neighbor")
        self._own = keras.layers.Dense(edge, name="own")
        self._geometry = keras.layers.Dense(edge, use_bias=False, name="geometry")
        self._attention = keras.layers.Dense(1, use_bias=False, name="attention")

    def call(self, inputs: "list[tf.Tensor]") -> "tf.Tensor":
        """Return (events, particles, 2 x edge)."""
        import tensorflow as tf

        nodes, neighbors, connected, geometry = inputs
        others = tf.gather(self._neighbor(nodes), neighbors, batch_dims=1)
        edges = others - self._own(nodes)[:, :, None, :] + self._geometry(geometry)
        edges = tf.nn.leaky_relu(edges, 0.2)
        logits = self._attention(edges)[..., 0] + _NO_NEIGHBOR * (1.0 - connected)
        share = tf.nn.softmax(logits) * connected
        number = tf.maximum(tf.reduce_sum(connected, axis=-1, keepdims=True), 1.0)
        pooled = tf.reduce_sum(share[..., None] * edges, axis=-2)
        mean = tf.reduce_sum((connected / number)[..., None] * edges, axis=-2)
        return tf.concat([pooled, mean], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras saves."""
        return {**super().get_config(), "edge": self._edge}


@keras.utils.register_keras_serializable(package="l1distill")
class AttentionPooling(keras.layers.Layer):  # type: ignore[misc]
    """Graph attention pooling with one head, as published."""

    def __init__(self, filters: int, with_distance: bool, **keywords: Any) -> None:
        """Take the numbers of an edge, and whether edges know their distance."""
        super().__init__(**keywords)
        self._filters, self._with_distance = filters, with_distance
        layers = keras.layers
        self._node = layers.Dense(filters, activation="relu", use_bias=False, name="node")
        self._node_norm = layers.GroupNormalization(groups=4, name="node_norm")
        self._edge = layers.Dense(filters, name="edge")
        self._edge_norm = layers.GroupNormalization(groups=4, name="edge_norm")
        self._own = layers.Dense(1, name="own_attention")
        self._own_norm = layers.BatchNormalization(center=False, scale=False, name="own_norm")
        self._other = layers.Dense(1, name="other_attention")
        self._other_norm = layers.BatchNormalization(center=False, scale=False, name="other_norm")

    def call(self, inputs: "list[tf.Tensor]", training: bool | None = None) -> "tf.Tensor":
        """Return (events, particles, filters)."""
        import tensorflow as tf

        nodes, neighbors, connected, geometry = inputs
        edges = nodes[:, :, None, :] - tf.gather(nodes, neighbors, batch_dims=1)
        if self._with_distance:
            distance = geometry[..., _DISTANCE]
            per_distance = tf.math.divide_no_nan(nodes[:, :, None, LOG_PT], distance)
            edges = tf.concat([edges, per_distance[..., None], distance[..., None]], axis=-1)
        edges = self._edge_norm(self._edge(edges))
        own = self._own_norm(self._own(self._node_norm(self._node(nodes))), training=training)
        other = self._other_norm(self._other(edges)[..., 0], training=training)
        logits = tf.nn.leaky_relu(own + other) + _NO_NEIGHBOR * (1.0 - connected)
        share = tf.nn.softmax(logits)
        return tf.nn.leaky_relu(tf.matmul(share[:, :, None, :], edges)[:, :, 0, :])

    def get_config(self) -> dict[str, Any]:
        """Return what Keras saves."""
        own = {"filters": self._filters, "with_distance": self._with_distance}
        return {**super().get_config(), **own}

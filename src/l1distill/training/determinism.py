"""Reproducible training: seeds, and kernels of TensorFlow that give the same bits each time."""


def make_deterministic(seed: int) -> None:
    """Seed every generator and ask TensorFlow for reproducible kernels."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()

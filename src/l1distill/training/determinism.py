"""Reproducible training: seeds, and kernels of TensorFlow that give the same bits each time."""

from contextlib import suppress

from l1distill.core.processor import THREADS


def make_deterministic(seed: int) -> None:
    """Seed every generator and ask TensorFlow for reproducible kernels.

    The number of threads is set here too, for notebooks that import TensorFlow without
    :func:`l1distill.core.processor.pin_processor_features`; after TensorFlow's first operation it
    can no longer be changed.
    """
    import tensorflow as tf

    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()

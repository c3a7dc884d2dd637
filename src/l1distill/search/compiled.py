"""Functions that XLA compiles for every shape of their arguments, traced once for all shapes."""

from collections.abc import Callable
from functools import cache
from typing import Any

VECTOR, MATRIX, CUBE = (1, "float32"), (2, "float32"), (3, "float32")
INTEGER, INTEGERS, ROWS = (0, "int32"), (1, "int32"), (2, "int32")
"""Kinds of arguments: number of dimensions, and the type of the numbers."""


def compiled(*kinds: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function with XLA.

    Sizes that its shapes depend on may be among its arguments: it is compiled for each value.

    Args:
        kinds: that of each argument; of a named tuple a named tuple of kinds.
    """
    import tensorflow as tf

    def spec(kind: Any) -> Any:
        if isinstance(kind[0], int):
            return tf.TensorSpec([None] * kind[0], kind[1])
        return type(kind)(*map(spec, kind))

    signature = [spec(kind) for kind in kinds]

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        whole = tf.function(function, jit_compile=True, autograph=False, input_signature=signature)
        # called directly: to look for the right trace takes longer than short epochs do
        traced = cache(whole.get_concrete_function)
        return lambda *arguments: traced()(*tf.nest.map_structure(tf.constant, arguments))

    return decorated

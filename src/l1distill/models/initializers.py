"""How QKeras begins the weights of a layer: drawn twice where their type is coarse."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def drawn_twice() -> Iterator[None]:
    """Let layers of QKeras be built without Keras's warning that an initializer was used twice.

    Where the type of a kernel is coarser than its weights are spread, ``QInitializer`` draws the
    kernel again from a wider distribution, and means the same numbers, widened: Keras gives these,
    and warns of it as of a mistake. No two layers share an initializer, and the seed of each comes
    from the one that :func:`l1distill.training.determinism.make_deterministic` is given.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The initializer HeNormal is unseeded", UserWarning)
        yield

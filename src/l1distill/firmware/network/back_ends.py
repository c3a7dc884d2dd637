"""The registry of back ends: every place that has to know every layer of a network.

``tests/firmware/test_back_ends.py`` imports all modules, and fails for each layer that a back end
registered here does not know.
"""

from collections.abc import Callable
from functools import singledispatch, wraps
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from functools import _SingleDispatchCallable

T = TypeVar("T")

BACK_ENDS: dict[str, Callable[[type], bool]] = {}
"""By the name of each back end, whether it knows a class of layers."""


def back_end(name: str) -> "Callable[[Callable[..., T]], _SingleDispatchCallable[T]]":
    """Make a function one that is registered layer by layer, with ``functools.singledispatch``.

    A back end that cannot take a layer registers a function that refuses it and says why.

    Args:
        name: of the back end, for the error message and the test.

    Returns:
        A decorator. Of the function that it decorates the signature and the docstring are used:
        called with a layer that nothing is registered for, it raises NotImplementedError.
    """

    def decorate(signature: Callable[..., T]) -> "_SingleDispatchCallable[T]":
        @wraps(signature)
        def missing(layer: Any, *_: Any, **__: Any) -> NoReturn:
            raise NotImplementedError(
                f"{name}: nothing is registered for {type(layer).__name__}; see {__name__}"
            )

        function: _SingleDispatchCallable[T] = singledispatch(missing)
        BACK_ENDS[name] = lambda layer_class: layer_class in function.registry
        return function

    return decorate

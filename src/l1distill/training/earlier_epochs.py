"""Tell the epochs that an earlier run trained apart from those of this one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from l1distill.training.fit import OnEpoch


@runtime_checkable
class EarlierEpochs(Protocol):
    """Is told of the epochs of an earlier run by a method of their own."""

    def tell_earlier(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Be told the number of an epoch that an earlier run trained, and its losses."""


def tell_earlier(on_epoch: "OnEpoch", epoch: int, losses: Mapping[str, float]) -> None:
    """Tell of an epoch of an earlier run; as of one of this run to who makes no difference."""
    if isinstance(on_epoch, EarlierEpochs):
        on_epoch.tell_earlier(epoch, losses)
    else:
        on_epoch(epoch, losses)


class LaterEpochs:
    """Tell of the epochs of one of several trainings, behind those of the trainings before it.

    Args:
        on_epoch: who is told.
        before: epochs of the trainings before it.
    """

    def __init__(self, on_epoch: "OnEpoch", before: int) -> None:
        """Keep both."""
        self._on_epoch, self._before = on_epoch, before

    def __call__(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Tell of an epoch of this run."""
        self._on_epoch(self._before + epoch, losses)

    def tell_earlier(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Tell of an epoch of an earlier run."""
        tell_earlier(self._on_epoch, self._before + epoch, losses)

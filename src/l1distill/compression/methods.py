"""The kinds of compression: the settings of each, and what it makes of a network in training.

A new kind is a settings class below :class:`.settings.CompressionSettings` whose ``method`` is
a literal of its own, a row here, and what it does in :func:`compress`. The configuration's section
``compression`` then has the keys of the kind that ``compression.method`` names, and no others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from l1distill.compression.node_pruning import (
    GatedNetwork,
    even_widths,
    whole_structure,
)
from l1distill.compression.node_settings import NodePruningSettings
from l1distill.compression.permutation import HeldOut
from l1distill.compression.pruning import PruningSettings, strip, with_pruning
from l1distill.compression.settings import CompressionSettings
from l1distill.compression.structure import Structure
from l1distill.core.errors import ConfigError
from l1distill.core.settings import entry_of

if TYPE_CHECKING:
    from tensorflow import keras

DEFAULT = "pruning"
"""The method of a configuration that names none."""
METHODS: Mapping[str, type[CompressionSettings]] = {
    "pruning": PruningSettings,
    "autopruner": NodePruningSettings,
}


def method_of(section: Any) -> type[CompressionSettings]:
    """Return the settings of the method that a section ``compression`` names.

    Raises:
        ConfigError: there is none of that name.
    """
    return entry_of(METHODS, section, "compression.method", DEFAULT)


@dataclass(frozen=True, kw_only=True)
class Compressed:
    """A network that becomes smaller while it is fitted.

    Attributes:
        model: what is fitted.
        callbacks: what has to be told of each epoch.
        full_from_epoch: the first epoch at the end of which it is as small as was asked for.
        finished: returns the network that is left.
        after_step: see :class:`l1distill.training.fit.Fit`.
        fine_tune_from: likewise.
        structure: returns which nodes and features are left; None where none go.
    """

    model: "keras.Model"
    callbacks: "Sequence[keras.callbacks.Callback]"
    full_from_epoch: int
    finished: "Callable[[], keras.Model]"
    after_step: Callable[[], None] = lambda: None
    fine_tune_from: int | None = None
    structure: Callable[[], Structure | None] = field(default=lambda: None)


def compress(
    model: "keras.Model",
    settings: CompressionSettings,
    *,
    epochs: int,
    steps_per_epoch: int,
    seed: int = 0,
    held_out: HeldOut | None = None,
) -> Compressed:
    """Prepare a network for a training in which it becomes smaller.

    Args:
        model: the network.
        settings: of one of the methods.
        epochs: of the training.
        steps_per_epoch: optimizer steps in an epoch.
        seed: of what is drawn.
        held_out: what a method may judge the network by.

    Raises:
        ConfigError: the network cannot become so small, or there is no such method.
    """
    if isinstance(settings, PruningSettings):
        pruned = with_pruning(model, settings, steps_per_epoch)
        return Compressed(
            model=pruned.model,
            callbacks=pruned.callbacks,
            full_from_epoch=pruned.full_from_epoch,
            finished=lambda: strip(pruned.model),
        )
    if not isinstance(settings, NodePruningSettings):
        raise ConfigError(f"compression.method={settings.method}: is not known")
    if settings.score == "from_scratch":  # the network was built so small
        return Compressed(
            model=model,
            callbacks=[],
            full_from_epoch=0,
            finished=lambda: model,
            structure=lambda: whole_structure(model),
        )
    gated = GatedNetwork(
        model,
        settings,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        seed=seed,
        held_out=held_out,
    )
    return Compressed(
        model=gated.model,
        callbacks=gated.callbacks,
        full_from_epoch=gated.full_from_epoch,
        finished=gated.removed,
        after_step=gated.after_step,
        fine_tune_from=gated.fine_tune_from,
        structure=gated.structure,
    )


def starting_widths(
    settings: CompressionSettings, widths: Mapping[str, int]
) -> Mapping[str, int] | None:
    """Return the nodes of a network that is built smaller from the start; None for all others.

    Args:
        settings: of one of the methods.
        widths: nodes of each hidden layer, by its name.

    Raises:
        ConfigError: it cannot be so small.
    """
    if isinstance(settings, NodePruningSettings) and settings.score == "from_scratch":
        return even_widths(settings, widths)
    return None

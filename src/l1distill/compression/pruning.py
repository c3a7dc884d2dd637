"""Magnitude pruning while training, with tensorflow-model-optimization's polynomial decay."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from l1distill.compression.settings import CompressionSettings
from l1distill.models.tracing import trace_without_autograph

if TYPE_CHECKING:
    from tensorflow import keras


class PruningSettings(CompressionSettings):
    """How sparse, and when."""

    method: Literal["pruning"] = "pruning"
    """What is done; each has settings of its own."""
    sparsity: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Share of the weights of each layer that is to be zero; 0 switches pruning off."""
    begin_epoch: int = Field(default=5, ge=0)
    """Epoch in which weights begin to be set to zero."""
    end_epoch: int = Field(default=25, gt=0)
    """Epoch from which the sparsity is reached; training goes on after it."""
    prune_output: bool = True
    """Whether the last layer is pruned as well. A small student whose output sums few nodes up
    saturates early, and its largest scores become equal."""

    @model_validator(mode="after")
    def _in_order(self) -> "PruningSettings":
        check_order(self.begin_epoch, self.end_epoch)
        return self

    def check(self, epochs: int, section: str) -> None:
        """Refuses a training that ends before the pruning does.

        Args:
            epochs: of the training.
            section: of the configuration, that the training stands in.

        Raises:
            ValueError: no epoch is left for the pruned network.
        """
        if self.sparsity > 0 and epochs <= self.end_epoch:
            raise ValueError(
                f"{section}.training.epochs={epochs} leaves no epoch after compression.end_epoch="
                f"{self.end_epoch}; train longer, prune earlier or set compression.sparsity=0"
            )


def check_order(begin_epoch: int, end_epoch: int) -> None:
    """Refuse a pruning that ends before it begins.

    Raises:
        ValueError: it does.
    """
    if begin_epoch >= end_epoch:
        raise ValueError(f"begin_epoch={begin_epoch} must come before end_epoch={end_epoch}")


def updates_every(settings: PruningSettings, steps_per_epoch: int) -> int:
    """Return the steps from one update of the masks to the next."""
    return max(1, (settings.end_epoch - settings.begin_epoch) * steps_per_epoch // 50)


class Pruned(NamedTuple):
    """A model that prunes itself while it is fitted."""

    model: "keras.Model"
    callbacks: list["keras.callbacks.Callback"]
    full_from_epoch: int
    """The first epoch at the end of which the target sparsity is reached."""


def with_pruning(
    model: "keras.Model",
    settings: PruningSettings,
    steps_per_epoch: int,
    only: Collection[str] | None = None,
) -> Pruned:
    """Wraps the dense and convolutional layers of ``model`` for pruning.

    The masks are updated often enough for short trainings: with the library's default of every
    100 steps a training of 60 steps ends without a single zero.

    Args:
        model: the network to prune.
        settings: sparsity and schedule.
        steps_per_epoch: optimizer steps in an epoch.
        only: names of the layers to prune; all where it is None.

    Returns:
        What to fit; :func:`strip` takes the wrappers off again.
    """
    if settings.sparsity == 0.0:
        return Pruned(model, [], 0)
    from tensorflow import keras
    from tensorflow_model_optimization.sparsity import keras as sparsity

    trace_without_autograph()
    if not settings.prune_output:
        hidden = [layer.name for layer in model.layers if hasattr(layer, "kernel")][:-1]
        only = [name for name in hidden if only is None or name in only]
    schedule = sparsity.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=settings.sparsity,
        begin_step=settings.begin_epoch * steps_per_epoch,
        end_step=settings.end_epoch * steps_per_epoch,
        frequency=updates_every(settings, steps_per_epoch),
    )

    def wrap(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        # QDense and QConv2D derive from these
        prunable = isinstance(layer, keras.layers.Dense | keras.layers.Conv2D)
        if prunable and (only is None or layer.name in only):
            return sparsity.prune_low_magnitude(layer, pruning_schedule=schedule)
        return layer

    wrapped = keras.models.clone_model(model, clone_function=wrap)
    return Pruned(wrapped, [sparsity.UpdatePruningStep()], settings.end_epoch)


def with_zeros_held(model: "keras.Model", only: Collection[str]) -> Pruned:
    """Wraps layers so that training leaves every zero where it is.

    Args:
        model: a pruned network, to be trained on.
        only: names of its pruned layers.

    Returns:
        What to fit; :func:`strip` takes the wrappers off again.
    """
    from tensorflow import keras
    from tensorflow_model_optimization.sparsity import keras as sparsity

    trace_without_autograph()

    def wrap(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        share = float(np.mean(layer.get_weights()[0] == 0.0)) if layer.name in only else 0.0
        if share == 0.0:
            return layer
        # Masks are made before the first step and stay: made anew after it, they would take
        # weights that are smaller than a step, as folded normalization leaves many, for zeros.
        held = sparsity.ConstantSparsity(share, begin_step=1, end_step=1, frequency=1)
        return sparsity.prune_low_magnitude(layer, pruning_schedule=held)

    wrapped = keras.models.clone_model(model, clone_function=wrap)
    for layer, copy in zip(model.layers, wrapped.layers, strict=True):
        getattr(copy, "layer", copy).set_weights(layer.get_weights())
    return Pruned(wrapped, [sparsity.UpdatePruningStep()], 0)


def strip(model: "keras.Model") -> "keras.Model":
    """Removes the pruning wrappers; zeros stay zeros."""
    from tensorflow_model_optimization.sparsity import keras as sparsity

    return sparsity.strip_pruning(model)


def measure_sparsity(model: "keras.Model", only: Collection[str] | None = None) -> float:
    """Returns the share of the network's quantized weights that are zero, biases apart.

    Measured on the trained network as it goes to firmware, where a weight that rounds to zero
    costs as little as a pruned one; never the sparsity that was asked for.

    Args:
        model: the network.
        only: names of the layers to count; all where it is None.
    """
    zeros = total = 0
    for layer in model.layers:
        if not hasattr(layer, "kernel") or (only is not None and layer.name not in only):
            continue
        kernel = layer.kernel
        if getattr(layer, "kernel_quantizer_internal", None) is not None:
            kernel = layer.kernel_quantizer_internal(kernel)
        values = np.asarray(kernel)
        zeros += int(np.count_nonzero(values == 0.0))
        total += values.size
    return zeros / total if total else 0.0

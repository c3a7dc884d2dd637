"""Switches nodes and input features off while a network is trained, down to an exact budget.

The aim is that of Cristoforetti, Di Luca, Follega, Iuppa and Mascione ("Deep neural networks
resizing for online event selection", slides, 2022): a second set of parameters, trained together
with the network, switches off nodes of layers that the user names, in one training, until exactly
as many are used as were asked for. The authors' equations are not public, so this is not theirs.
Here a gate multiplies each node; those with the largest scores are open
(:mod:`.node_scores`), fewer and fewer of them (:class:`.node_budget.Schedule`).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from l1distill.compression.node_budget import (
    FEATURES,
    Budget,
    Schedule,
    even,
    feature_budget,
    node_budgets,
)
from l1distill.compression.node_settings import NodePruningSettings
from l1distill.compression.permutation import HeldOut
from l1distill.compression.structure import Structure
from l1distill.core.errors import ConfigError

if TYPE_CHECKING:
    from tensorflow import keras


class GatedNetwork:
    """A network with gates, while it is trained.

    Attributes:
        model: what is fitted.
        full_from_epoch: the first epoch at the end of which as few nodes are on as were asked for;
            0 where all stay on.
    """

    def __init__(
        self,
        model: "keras.Model",
        settings: NodePruningSettings,
        *,
        epochs: int,
        steps_per_epoch: int,
        seed: int = 0,
        held_out: HeldOut | None = None,
    ) -> None:
        """Put gates into a network, all of them open.

        Args:
            model: Keras layers one behind the other, dense or convolutional, of QKeras or not.
            settings: how many nodes and features, which, and when.
            epochs: of the training.
            steps_per_epoch: optimizer steps in an epoch.
            seed: of scores and draws.
            held_out: what features are ranked by where ``permutation`` decides.

        Raises:
            ConfigError: so few or so many nodes cannot be left, or a layer is not there.
            DataError: the network is not of such layers.
        """
        from l1distill.compression.node_gates import Gate, Pool
        from l1distill.compression.node_removal import (
            chain_of,
            hidden_layers,
            node_norms,
            with_gates,
        )
        from l1distill.compression.node_scores import RULES
        from l1distill.compression.weight_masks import with_weight_masks

        layers = chain_of(model)
        schedule = Schedule.of(settings, epochs * steps_per_epoch)
        self._widths = hidden_layers(layers)
        self._settings, self._epochs = settings, epochs
        self._pools: list[Pool] = []

        def add(name: str, budget: Budget, score: str) -> None:
            # each pool with draws of its own
            own = seed + 7919 * len(self._pools)
            pool = Pool(name, budget, schedule, RULES[score](), epochs, own)
            if score == "magnitude":
                pool.norms = {layer: node_norms(layers, layer) for layer in pool.sizes}
            self._pools.append(pool)

        for number, budget in enumerate(node_budgets(settings, self._widths)):
            add(f"nodes_{number}", budget, settings.score)
        of_features = feature_budget(settings, int(model.input_shape[-1]))
        if of_features is not None:
            add(FEATURES, of_features, settings.feature_score)

        def gate_of(layer: str) -> Gate | None:
            owner = [pool for pool in self._pools if layer in pool.sizes]
            return Gate(owner[0], layer) if owner else None

        self.model, self._layers = with_gates(model, gate_of)
        self._prune: Callable[[], None] = lambda: None
        if settings.sparsity:
            self.model, self._prune = with_weight_masks(
                self.model, self._layers, settings.sparsity, schedule
            )
        self._last_epoch = -(-schedule.end // steps_per_epoch) - 1
        takes = settings.sparsity or any(pool.keep < pool.units for pool in self._pools)
        self.full_from_epoch = self._last_epoch if takes else 0
        self._seed, self._held_out = seed, held_out
        self._by_permutation = settings.features is not None and (
            settings.feature_score == "permutation"
        )
        if self._by_permutation and (held_out is None or not self._last_epoch):
            raise ConfigError(
                "compression.feature_score=permutation: ranks features after an epoch, and there "
                "is none before compression.end; train longer"
            )

    @property
    def fine_tune_from(self) -> int | None:
        """The first epoch in which nothing is switched off any more, if it has its own rate."""
        return self._last_epoch + 1 if self._settings.fine_tune == "cosine" else None

    def after_step(self) -> None:
        """Move scores and gates; in the graph of a step, behind the optimizer."""
        for pool in self._pools:
            pool.advance()
        self._prune()

    @property
    def callbacks(self) -> "list[keras.callbacks.Callback]":
        """What counts nodes after each epoch, and measures what is not trained."""
        from tensorflow import keras

        def after(epoch: int, _logs: Any = None) -> None:
            for pool in self._pools:
                pool.count(epoch)
            if self._by_permutation and epoch == self._last_epoch - 1:
                assert self._held_out is not None
                self._pools[-1].score.assign(self._held_out.importance(self._seed))

        return [keras.callbacks.LambdaCallback(on_epoch_end=after)]

    def removed(self) -> "keras.Model":
        """Return the network without what is off: a smaller one, with the same outputs."""
        from l1distill.compression.node_removal import without_nodes

        on = {layer: pool.is_on(layer) for pool in self._pools for layer in pool.sizes}
        return without_nodes(self.model, self._layers, on)

    def structure(self) -> Structure:
        """Return what is on."""
        of_nodes = [pool for pool in self._pools if FEATURES not in pool.sizes]
        of_features = [pool for pool in self._pools if FEATURES in pool.sizes]
        nodes = dict(self._widths)
        counts = np.tile(list(nodes.values()), (self._epochs, 1))
        for pool in of_nodes:
            recorded = pool.counts.numpy()
            for number, layer in enumerate(pool.sizes):
                nodes[layer] = int(pool.is_on(layer).sum())
                counts[:, list(nodes).index(layer)] = recorded[:, number]
        gated = {layer for pool in of_nodes for layer in pool.sizes}
        free = sum(width for layer, width in self._widths.items() if layer not in gated)
        on = [np.flatnonzero(pool.is_on(FEATURES)).tolist() for pool in of_features]
        return Structure(
            nodes=nodes,
            of_nodes=self._widths,
            nodes_asked=sum(pool.keep for pool in of_nodes) + free if of_nodes else None,
            features=on[0] if on else None,
            of_features=int(self.model.input_shape[-1]),
            features_asked=of_features[0].keep if on else None,
            counts=counts if of_nodes else np.empty((0, 0), np.int64),
        )


def whole_structure(model: "keras.Model") -> Structure:
    """Return the structure of a network that was built as small as was asked for."""
    from l1distill.compression.node_removal import chain_of, hidden_layers

    nodes = hidden_layers(chain_of(model))
    return Structure(nodes=nodes, of_nodes=nodes, nodes_asked=sum(nodes.values()))


def even_widths(settings: NodePruningSettings, widths: Mapping[str, int]) -> dict[str, int]:
    """Return the nodes of each layer of a network that is trained from scratch in that size.

    Args:
        settings: how many nodes.
        widths: of the network that is not pruned.

    Raises:
        ConfigError: so few or so many nodes cannot be left, or a layer is not there.
    """
    chosen = settings.model_copy(update={"scope": "global"})
    smaller = dict(widths)
    for budget in node_budgets(chosen, widths):
        smaller |= even(budget)
    return smaller

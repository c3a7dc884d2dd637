"""Trains populations epoch by epoch, with the numerics of a student that is trained alone."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.pruning import PruningSettings
from l1distill.distillation.settings import Distance, DistillationSettings
from l1distill.distillation.student import Examples
from l1distill.models.student_network import NetworkSettings
from l1distill.search.buckets import filled_up
from l1distill.search.candidate import Candidate
from l1distill.search.graph import Batches, Group, Items, State
from l1distill.search.masks import Schedule, magnitude_masks
from l1distill.search.population import Population
from l1distill.search.snapshot import Snapshot
from l1distill.search.steps import Program, at_once, program
from l1distill.search.weights import Layers
from l1distill.training.schedule import learning_rate

HELD_OUT_BATCH = 1024
Array = NDArray[np.float32]


class Trainer:
    """Trains candidates together: the same items in the same order, each at its own rate.

    What a student trained alone is told by its settings holds here, too: epochs, batch size,
    schedule, patience, float phase, pruning. They are those of all candidates but the learning rate
    and the sparsity. Only what the teacher answers is learned.
    """

    def __init__(
        self,
        train: Examples,
        validation: Examples,
        student: NetworkSettings,
        distillation: DistillationSettings,
        pruning: PruningSettings,
        *,
        input_exponents: Sequence[int] = (),
        knowledge: Sequence[Distance] = (),
        seed: int = 0,
        together: int | None = None,
    ) -> None:
        """Take the items.

        Args:
            train: features and targets to fit.
            validation: the same of the items that decide which epoch is kept.
            student: the training that all candidates share, and the epochs of its float phase.
            distillation: the loss against the teacher's answers.
            pruning: when weights are pruned; how many is that of each candidate.
            input_exponents: see :func:`l1distill.distillation.student.train_student`.
            knowledge: distances of which each candidate learns with its own; empty: that of the
                loss, by which validation items are judged in any case.
            seed: of the order of items.
            together: candidates that are computed at once; None: see
                :func:`l1distill.search.steps.at_once`.
        """
        self._train, self._validation = train, validation
        self._training, self._float_epochs = student.training, student.float_epochs
        self._distillation, self._pruning = distillation, pruning
        self._exponents, self._seed = tuple(input_exponents), seed
        self._knowledge = tuple(knowledge)
        self._together = together or at_once()
        self.features = int(train.features.shape[1])
        self.outputs = int(train.targets.shape[1])
        self.steps = math.ceil(len(train.features) / self._training.batch_size)

    def train(
        self,
        candidates: Sequence[Candidate],
        snapshots: Sequence[Snapshot],
        until: int,
        hidden: Sequence[int] = (),
    ) -> list[Snapshot]:
        """Train candidates of one depth to the end of an epoch.

        Args:
            candidates: all either rounded or not.
            snapshots: how far each is; all equally far.
            until: the epoch behind the last.
            hidden: widths of the hidden layers that they are filled up to.

        Returns:
            How far each is then. One whose loss is not finite has failed and hinders no other; one
            that has waited longer than ``training.patience`` stays as it was.
        """
        population, copies = self._population(candidates, hidden)
        now = [*snapshots, *[replace(snapshots[-1], ended=True)] * copies]
        for epoch in range(max(one.epochs for one in now), until):
            if all(one.ended for one in now):
                break
            now = self._epoch(population, now, epoch)
        return now[: len(candidates)]

    def answers(
        self,
        candidates: Sequence[Candidate],
        weights: Sequence[Layers],
        features: Array,
        hidden: Sequence[int] = (),
    ) -> Array:
        """Return the answers of candidates of one depth, (candidates, n, outputs).

        Args:
            candidates: all either rounded or not.
            weights: of each.
            features: (n, features).
            hidden: widths of the hidden layers that they are filled up to.
        """
        population, copies = self._population(candidates, hidden)
        weights = [*weights, *[weights[-1]] * copies]
        unknown = np.zeros((len(features), self.outputs), np.float32)
        given = self._program(population, population.rounds).predict(
            population.layout.packed(weights),
            self._group(population, [True] * len(weights)),
            *self._in_order(Examples(features=features, targets=unknown)),
        )
        parts = np.asarray(given).transpose(1, 0, 2, 3)
        result: Array = parts.reshape(len(parts), -1, population.widths[-1])
        return result[: len(candidates), : len(features), : self.outputs]

    def _population(
        self, candidates: Sequence[Candidate], hidden: Sequence[int]
    ) -> tuple[Population, int]:
        """Return a population of candidates, and how many copies of the last fill it up."""
        copies = filled_up(len(candidates)) - len(candidates)
        population = Population(
            candidates=[*candidates, *[candidates[-1]] * copies],
            features=self.features,
            outputs=self.outputs,
            exponents=self._exponents,
            hidden=tuple(hidden),
        )
        return population, copies

    def _epoch(
        self, population: Population, snapshots: list[Snapshot], epoch: int
    ) -> list[Snapshot]:
        rounds = population.rounds and epoch >= self._float_epochs
        if population.rounds and epoch == self._float_epochs:
            snapshots = [one.with_new_optimizer() for one in snapshots]
        group = self._group(population, [not one.ended for one in snapshots])
        state, masks, losses = self._run(population, group, snapshots, epoch, rounds)
        judged = self._judge(population, group, np.asarray(state.weights), rounds)
        parts = [population.layout.unpacked(part, population.sizes) for part in state]
        own_masks = population.layout.unpacked(masks, population.sizes)
        behind = []
        for number, (one, candidate) in enumerate(
            zip(snapshots, population.candidates, strict=True)
        ):
            layers, momentum, velocity = (part[number] for part in parts)
            trained = replace(
                one,
                layers=layers,
                momentum=momentum,
                velocity=velocity,
                masks=[mask for mask, _ in own_masks[number]],
            )
            counts = epoch >= self._best_from(candidate)
            pair = float(losses[number]), float(judged[number])
            behind.append(one.after(pair, trained, self._training.patience, counts))
        return behind

    def _run(
        self,
        population: Population,
        group: Group,
        snapshots: Sequence[Snapshot],
        epoch: int,
        rounds: bool,
    ) -> tuple[State, Array, Array]:
        """Take the steps of an epoch; returns state and masks behind it, and the mean losses."""
        pairs = list(zip(population.candidates, snapshots, strict=True))
        rates = np.array([self._rate(candidate, one) for candidate, one in pairs], np.float32)
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._train.features))
        batches = Batches.of(order, self._training.batch_size, mean=True)
        used = self._program(population, rounds)
        layout = population.layout
        state = State(*(layout.packed(part) for part in zip(*map(_memory, snapshots), strict=True)))
        masks = layout.packed([[*map(_with_bias, one.masks)] for one in snapshots])
        before = epoch * self.steps
        is_pruned = any(one.sparsity for one in population.candidates)
        schedule = Schedule.of(self._pruning, self.steps) if is_pruned else None
        # Adam begins anew behind the float phase
        adam_before = before - (self._float_epochs * self.steps if rounds else 0)
        total = np.zeros(len(pairs), np.float32)
        for first, last in schedule.segments(before, self.steps) if schedule else [(0, self.steps)]:
            if schedule and schedule.updates(before + first + 1):
                shares = [
                    schedule.share(before + first + 1, one.sparsity)
                    for one in population.candidates
                ]
                kept = magnitude_masks(
                    layout.kernels(np.asarray(state.weights)),
                    population.weights,
                    shares,
                    prune_output=self._pruning.prune_output,
                )
                for mask, (own, _) in zip(kept, layout.layers(masks), strict=True):
                    own[:] = mask
            state, losses = used.run(
                state,
                masks,
                rates,
                self._mix(population),
                group,
                self._train_items,
                batches,
                np.int32(first),
                np.int32(last),
                np.int32(adam_before + first),
            )
            total += losses.numpy()
        weights = np.asarray(state.weights) * masks
        return state._replace(weights=weights), masks, total / len(order)

    def _judge(self, population: Population, group: Group, weights: Array, rounds: bool) -> Array:
        """Return the mean validation losses."""
        summed = self._program(population, rounds).evaluate(weights, group, *self._held_out)
        result: Array = summed.numpy() / len(self._validation.features)
        return result

    def _group(self, population: Population, takes_part: Sequence[bool]) -> Group:
        going = np.array(takes_part).reshape(-1, self._together).any(axis=1)
        places = np.flatnonzero(going).astype(np.int32)
        return Group(
            types=population.types,
            widths=np.array(population.widths, np.int32),
            places=np.pad(places, (0, len(going) - len(places))),
            number=np.int32(len(places)),
        )

    def _rate(self, candidate: Candidate, snapshot: Snapshot) -> float:
        return learning_rate(
            candidate.student.training,
            snapshot.history.validation_loss,
            self._best_from(candidate),
        )

    def _best_from(self, candidate: Candidate) -> int:
        """Return the first epoch whose weights may be kept."""
        full = self._pruning.end_epoch if candidate.sparsity else 0
        return max(full, self._float_epochs if candidate.rounds else 0)

    def _program(self, population: Population, rounds: bool) -> Program:
        return program(
            self._distillation,
            len(population.widths) - 1,
            rounds=rounds,
            knowledge=self._knowledge,
            together=self._together,
        )

    def _mix(self, population: Population) -> Array:
        """Return which distance each candidate learns with, (candidates, distances): 1 or 0."""
        own = [one.knowledge or self._distillation.loss for one in population.candidates]
        rows = [[distance == mine for distance in self._knowledge] for mine in own]
        return np.array(rows, np.float32).reshape(len(own), len(self._knowledge))

    @cached_property
    def _train_items(self) -> Items:
        return self._items(self._train)

    @cached_property
    def _held_out(self) -> tuple[Items, Batches]:
        return self._in_order(self._validation)

    def _in_order(self, examples: Examples) -> tuple[Items, Batches]:
        batches = Batches.of(np.arange(len(examples.features)), HELD_OUT_BATCH, mean=False)
        return self._items(examples), batches

    def _items(self, examples: Examples) -> Items:
        """Return items as the graphs take them."""
        import tensorflow as tf

        exponents = np.array(self._exponents or [0] * self.features, np.float32)
        units = np.exp2(exponents)
        parts = (examples.features / units, examples.targets, units)
        return Items(*(tf.constant(part, tf.float32) for part in parts))


def _memory(snapshot: Snapshot) -> tuple[Layers, Layers, Layers]:
    return snapshot.layers, snapshot.momentum, snapshot.velocity


def _with_bias(mask: Array) -> tuple[Array, Array]:
    """Return the mask of a kernel, and that of a bias that loses nothing."""
    return mask, np.ones(mask.shape[1:], np.float32)

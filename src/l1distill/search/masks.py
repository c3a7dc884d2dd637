"""Magnitude pruning of a population: when masks are made anew, and which weights they keep.

What tensorflow-model-optimization does for a student, of which :mod:`l1distill.compression.pruning`
sets the schedule: a polynomial decay of the third power, in 50 updates at most.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.pruning import PruningSettings, updates_every

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Schedule:
    """When the weights of a training are pruned.

    Attributes:
        begin: step, from 1, of the first update.
        end: step of the last.
        every: steps from one to the next.
    """

    begin: int
    end: int
    every: int

    @classmethod
    def of(cls, settings: PruningSettings, steps_per_epoch: int) -> "Schedule":
        """Return the schedule of settings whose sparsity is above zero."""
        begin, end = (
            epoch * steps_per_epoch for epoch in (settings.begin_epoch, settings.end_epoch)
        )
        return cls(begin=begin, end=end, every=updates_every(settings, steps_per_epoch))

    def updates(self, step: int) -> bool:
        """Tell whether masks are made anew before a step."""
        return self.begin <= step <= self.end and (step - self.begin) % self.every == 0

    def share(self, step: int, sparsity: float) -> np.float32:
        """Return the share of weights that are zero behind an update, of the final one."""
        part = np.float32(step - self.begin) / np.float32(self.end - self.begin)
        left = np.float32(1.0) - np.clip(part, np.float32(0.0), np.float32(1.0))
        return np.float32(-sparsity) * left**3 + np.float32(sparsity)

    def segments(self, first: int, steps: int) -> Iterator[tuple[int, int]]:
        """Cut the steps of an epoch where masks are made anew.

        Args:
            first: steps before the epoch.
            steps: of the epoch.

        Yields:
            The first step of each segment and the one behind its last, from 0 in the epoch.
        """
        starts = [0, *(n for n in range(1, steps) if self.updates(first + n + 1)), steps]
        yield from itertools.pairwise(starts)


def magnitude_masks(
    kernels: Sequence[Array],
    sizes: Sequence[Sequence[int]],
    shares: Sequence[np.float32],
    *,
    prune_output: bool = True,
) -> list[Array]:
    """Return masks that keep the largest weights of each layer of each candidate.

    Args:
        kernels: of each layer, (candidates, inputs, outputs), filled up with zeros.
        sizes: weights of each layer of each candidate.
        shares: of the weights of each candidate that are to be zero; all that are as large as the
            smallest one kept are kept.
        prune_output: whether the last layer loses weights, too.
    """
    masks = []
    for layer, kernel in enumerate(kernels):
        if layer == len(kernels) - 1 and not prune_output:
            masks.append(np.ones_like(kernel, np.float32))
            continue
        magnitudes = np.abs(kernel.reshape(len(kernel), -1))
        mask = np.ones_like(magnitudes)
        for number, share in enumerate(shares):
            kept = np.rint(np.float32(sizes[number][layer]) * (np.float32(1.0) - share))
            smallest = -np.partition(-magnitudes[number], max(int(kept), 1) - 1)[
                max(int(kept), 1) - 1
            ]
            mask[number] = magnitudes[number] >= smallest
        masks.append(mask.reshape(kernel.shape).astype(np.float32))
    return masks

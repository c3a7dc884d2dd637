"""Weights of particles that need no training: none, charged hadron subtraction, PUPPI, truth."""

from collections.abc import Callable, Mapping

import numpy as np

from l1distill.simulation.columns import BoolArray, FloatArray
from l1distill.tasks.pileup.events import Events, RecordedCandidates
from l1distill.tasks.pileup.puppi import PuppiSettings, puppi_weights

Weights = Callable[[Events], FloatArray]
"""The weight of each particle of a batch of events, (n,) in [0, 1]."""


def from_vertex(particles: RecordedCandidates, window_mm: float) -> BoolArray:
    """Return which particles have a track of the hard collision's vertex, (n,)."""
    near: BoolArray = (particles.charge != 0) & (np.abs(particles.dz) < window_mm)
    return near


def puppi_anew(settings: PuppiSettings) -> Weights:
    """Return what computes the PUPPI weights of recorded events, whose momenta are rounded.

    Args:
        settings: parameters of PUPPI.
    """

    def weights(events: Events) -> FloatArray:
        particles = events.particles
        return puppi_weights(
            particles,
            charged=particles.charge != 0,
            from_vertex=from_vertex(particles, settings.vertex_window_mm),
            pileup=events.numbers[:, 0],
            settings=settings,
        )

    return weights


def classical_weights(window_mm: float) -> Mapping[str, Weights]:
    """Return the methods that a teacher and a student stand beside, by their names.

    ``none`` keeps everything; ``chs`` takes away charged particles of other vertices; ``puppi``
    is recorded with the events; ``truth`` is the share of pT that is of the hard collision.

    Args:
        window_mm: see :class:`.puppi.PuppiSettings`.
    """

    def chs(events: Events) -> FloatArray:
        particles = events.particles
        own = from_vertex(particles, window_mm)
        return np.where((particles.charge == 0) | own, 1.0, 0.0)

    return {
        "none": lambda events: np.ones(len(events.particles.event)),
        "chs": chs,
        "puppi": lambda events: events.particles.puppi,
        "truth": lambda events: events.particles.hard_fraction,
    }

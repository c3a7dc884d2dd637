"""Pools of collisions that are simulated once and overlaid many times.

For example inelastic collisions as pileup, or the multi-parton interactions of a hard collision.
Each use is rotated in phi by a random angle and mirrored in eta at random, so that an entry of the
pool rarely looks the same twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from l1distill.simulation import grid
from l1distill.simulation.columns import BoolArray, FloatArray, IntArray
from l1distill.simulation.detector import Deposits, Tracks, track
from l1distill.simulation.kinematics import transverse_momentum
from l1distill.simulation.particles import particles_of_batch
from l1distill.simulation.pythia import build_pythia, generate_batches
from l1distill.simulation.ragged import rows_of_entries


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Collisions after the tracker, flat; entry i owns rows ``first[i]`` to ``first[i + 1]``.

    Attributes:
        track_first: (n + 1,) first track of each entry.
        track_code: (t,) absolute PDG code.
        track_pt: (t,) [GeV].
        track_eta: (t,).
        track_phi: (t,) [rad].
        deposit_first: (n + 1,) first deposit of each entry.
        ring: (d,) ring of the tower grid.
        phi: (d,) [rad].
        em: (d,) [GeV].
        had: (d,) [GeV].
        track_px: (n,) sum over the entry's tracks [GeV].
        track_py: (n,) sum over the entry's tracks [GeV].
    """

    track_first: IntArray
    track_code: IntArray
    track_pt: FloatArray
    track_eta: FloatArray
    track_phi: FloatArray
    deposit_first: IntArray
    ring: IntArray
    phi: FloatArray
    em: FloatArray
    had: FloatArray
    track_px: FloatArray
    track_py: FloatArray

    @property
    def size(self) -> int:
        """Number of collisions."""
        return len(self.track_first) - 1


class Entries(Protocol):
    """Collisions to draw from."""

    @property
    def size(self) -> int:
        """Number of collisions."""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Which entries of a pool are overlaid on which events, and how they are turned.

    Attributes:
        event: (n,) int64, the event that gets the entry.
        entry: (n,) int64.
        angle: (n,) rotation in phi [rad].
        mirror: (n,) bool, eta -> -eta.
    """

    event: IntArray
    entry: IntArray
    angle: FloatArray
    mirror: BoolArray


def build_pool(
    commands: tuple[str, ...],
    size: int,
    *,
    collision_energy: float,
    seed: int,
    progress: Callable[[float], None] | None = None,
) -> Pool:
    """Simulate a pool's collisions up to the calorimeters' surface.

    Args:
        commands: PYTHIA settings of the collisions, such as
            :data:`~l1distill.simulation.pythia.MINIMUM_BIAS`.
        size: Number of collisions.
        collision_energy: Energy of the collision [GeV].
        seed: Seed of PYTHIA and of the tracker.
        progress: Called with the fraction done, in (0, 1], after each batch.
    """
    sequence = np.random.SeedSequence(seed)
    rng = np.random.default_rng(sequence)
    pythia = build_pythia(
        commands, collision_energy=collision_energy, seed=int(sequence.generate_state(2)[1])
    )
    all_tracks, all_deposits = [], []
    done = 0
    for batch in generate_batches(pythia, size, progress):
        tracks, deposits = track(particles_of_batch(batch), rng)
        all_tracks.append(replace(tracks, event=tracks.event + done))
        all_deposits.append(replace(deposits, event=deposits.event + done))
        done += len(batch)
    tracks, deposits = Tracks.concatenate(all_tracks), Deposits.concatenate(all_deposits)
    numbers = np.arange(size + 1)
    px, py = transverse_momentum(tracks.pt, tracks.phi)
    return Pool(
        track_first=np.searchsorted(tracks.event, numbers),
        track_code=tracks.code,
        track_pt=tracks.pt,
        track_eta=tracks.eta,
        track_phi=tracks.phi,
        deposit_first=np.searchsorted(deposits.event, numbers),
        ring=deposits.ring,
        phi=deposits.phi,
        em=deposits.em,
        had=deposits.had,
        track_px=np.bincount(tracks.event, px, minlength=size),
        track_py=np.bincount(tracks.event, py, minlength=size),
    )


def draw(pool: Entries, counts: IntArray, rng: np.random.Generator) -> Draw:
    """Draw entries for events.

    Args:
        pool: Where to draw from, with replacement.
        counts: (n_events,) entries that each event gets.
        rng: Source of randomness.
    """
    total = int(counts.sum())
    return Draw(
        event=np.repeat(np.arange(len(counts)), counts),
        entry=rng.integers(pool.size, size=total),
        angle=rng.uniform(-np.pi, np.pi, total),
        mirror=rng.random(total) < 0.5,
    )


def overlay_deposits(pool: Pool, drawn: Draw) -> Deposits:
    """Collect the calorimeter deposits of the entries drawn."""
    rows, owner = rows_of_entries(pool.deposit_first, drawn.entry)
    ring = pool.ring[rows]
    return Deposits(
        event=drawn.event[owner],
        ring=np.where(drawn.mirror[owner], grid.N_RINGS - 1 - ring, ring),
        phi=pool.phi[rows] + drawn.angle[owner],
        em=pool.em[rows],
        had=pool.had[rows],
    )


def overlay_tracks(pool: Pool, drawn: Draw) -> Tracks:
    """Collect the tracks of the entries drawn."""
    rows, owner = rows_of_entries(pool.track_first, drawn.entry)
    eta = pool.track_eta[rows]
    return Tracks(
        event=drawn.event[owner],
        code=pool.track_code[rows],
        pt=pool.track_pt[rows],
        eta=np.where(drawn.mirror[owner], -eta, eta),
        phi=pool.track_phi[rows] + drawn.angle[owner],
    )


def overlay_track_sum(pool: Pool, drawn: Draw, n_events: int) -> tuple[FloatArray, FloatArray]:
    """Sum the tracks' transverse momenta over the entries that each event drew.

    Returns:
        px and py, (n_events,) each [GeV].
    """
    px, py = pool.track_px[drawn.entry], pool.track_py[drawn.entry]
    cosine, sine = np.cos(drawn.angle), np.sin(drawn.angle)
    return (
        np.bincount(drawn.event, cosine * px - sine * py, minlength=n_events),
        np.bincount(drawn.event, sine * px + cosine * py, minlength=n_events),
    )

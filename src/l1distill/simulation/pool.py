"""Pools of collisions that are simulated once and overlaid many times.

Two kinds: ``pileup``, inelastic collisions from other vertices, and ``underlying``, the
multi-parton interactions of a hard collision. Each use is rotated in phi by a random angle and
mirrored in eta at random, so that an entry of the pool rarely looks the same twice.
"""

from typing import Literal, NamedTuple

import numpy as np

from l1distill.simulation import grid
from l1distill.simulation.detector import Deposits, Tracks, track
from l1distill.simulation.hard import build_pythia
from l1distill.simulation.particles import BoolArray, FloatArray, IntArray, from_batch
from l1distill.tasks.anomaly.generator.processes import MINIMUM_BIAS, UNDERLYING_EVENT

Kind = Literal["pileup", "underlying"]

_COMMANDS = {"pileup": MINIMUM_BIAS, "underlying": UNDERLYING_EVENT}
_BATCH = 250


class Pool(NamedTuple):
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


class Draw(NamedTuple):
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


def build_pool(kind: Kind, size: int, seed: int) -> Pool:
    """Simulates a pool's collisions up to the calorimeters' surface."""
    sequence = np.random.SeedSequence(seed)
    rng = np.random.default_rng(sequence)
    pythia = build_pythia(_COMMANDS[kind], int(sequence.generate_state(2)[1]))
    all_tracks, all_deposits = [], []
    done = 0
    while done < size:
        batch = pythia.nextBatch(min(_BATCH, size - done))
        tracks, deposits = track(from_batch(batch), rng)
        all_tracks.append(tracks._replace(event=tracks.event + done))
        all_deposits.append(deposits._replace(event=deposits.event + done))
        done += len(batch)
    tracks = Tracks(*(np.concatenate(column) for column in zip(*all_tracks, strict=True)))
    deposits = Deposits(*(np.concatenate(column) for column in zip(*all_deposits, strict=True)))
    numbers = np.arange(size + 1)
    return Pool(
        np.searchsorted(tracks.event, numbers),
        *tracks[1:],
        np.searchsorted(deposits.event, numbers),
        *deposits[1:],
        np.bincount(tracks.event, tracks.pt * np.cos(tracks.phi), minlength=size),
        np.bincount(tracks.event, tracks.pt * np.sin(tracks.phi), minlength=size),
    )


def draw(pool: Pool, counts: IntArray, rng: np.random.Generator) -> Draw:
    """Draws entries for events.

    Args:
        pool: Where to draw from, with replacement.
        counts: (n_events,) entries that each event gets.
        rng: Source of randomness.
    """
    total = int(counts.sum())
    return Draw(
        np.repeat(np.arange(len(counts)), counts),
        rng.integers(pool.size, size=total),
        rng.uniform(-np.pi, np.pi, total),
        rng.random(total) < 0.5,
    )


def overlay_deposits(pool: Pool, chosen: Draw) -> Deposits:
    """Collects the calorimeter deposits of the entries drawn."""
    rows, owner = _rows(pool.deposit_first, chosen.entry)
    ring = pool.ring[rows]
    return Deposits(
        chosen.event[owner],
        np.where(chosen.mirror[owner], grid.N_RINGS - 1 - ring, ring),
        pool.phi[rows] + chosen.angle[owner],
        pool.em[rows],
        pool.had[rows],
    )


def overlay_tracks(pool: Pool, chosen: Draw) -> Tracks:
    """Collects the tracks of the entries drawn."""
    rows, owner = _rows(pool.track_first, chosen.entry)
    eta = pool.track_eta[rows]
    return Tracks(
        chosen.event[owner],
        pool.track_code[rows],
        pool.track_pt[rows],
        np.where(chosen.mirror[owner], -eta, eta),
        pool.track_phi[rows] + chosen.angle[owner],
    )


def overlay_track_sum(pool: Pool, chosen: Draw, n_events: int) -> tuple[FloatArray, FloatArray]:
    """Sums the tracks' transverse momenta over the entries that each event drew.

    Returns:
        px and py, (n_events,) each [GeV].
    """
    px, py = pool.track_px[chosen.entry], pool.track_py[chosen.entry]
    cosine, sine = np.cos(chosen.angle), np.sin(chosen.angle)
    return (
        np.bincount(chosen.event, cosine * px - sine * py, minlength=n_events),
        np.bincount(chosen.event, sine * px + cosine * py, minlength=n_events),
    )


def _rows(first: IntArray, entry: IntArray) -> tuple[IntArray, IntArray]:
    """Lists all rows of the entries, and for each row which entry of the draw owns it."""
    counts = first[entry + 1] - first[entry]
    owner = np.repeat(np.arange(len(entry)), counts)
    start = np.cumsum(counts) - counts
    return np.arange(len(owner)) - start[owner] + first[entry][owner], owner

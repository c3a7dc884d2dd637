"""Hard scatters from PYTHIA, with a veto before the costly step, hadronization."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from l1distill.simulation.columns import FloatArray
from l1distill.simulation.particles import Particles, particles_of_batch
from l1distill.simulation.pythia import Process, build_pythia

_BATCH = 200  # hard scatters fetched at once


@dataclass(frozen=True, kw_only=True)
class Veto:
    """A parton-level selection: what an event must hold to be hadronized.

    Attributes:
        codes: Absolute PDG codes of final-state particles, one of which the event must hold.
        pt_min: Its smallest pT [GeV].
        eta_max: Its largest abs(eta).
    """

    codes: frozenset[int]
    pt_min: float
    eta_max: float


@dataclass(frozen=True, kw_only=True)
class HardEvents:
    """A batch of hadronized hard scatters.

    Attributes:
        particles: Their visible stable particles; events are numbered from 0.
        events: Number of events.
        tried: Hard scatters generated for them, vetoed ones included.
        truth_mass: (events,) mass of the process's resonance [GeV], NaN where there is none.
    """

    particles: Particles
    events: int
    tried: int
    truth_mass: FloatArray


def generate_hard(
    process: Process,
    *,
    collision_energy: float,
    seed: int,
    veto: Veto | None = None,
    batch: int = _BATCH,
) -> Iterator[HardEvents]:
    """Generate hard scatters without end.

    Args:
        process: What PYTHIA makes.
        collision_energy: Energy of the proton-proton collision [GeV].
        seed: Seed of this stream.
        veto: What an event must hold before hadronization; None keeps all events.
        batch: Events to yield at once.

    Yields:
        Batches of events that pass the veto.
    """
    hook = None if veto is None else _veto_hook(veto)
    records = generate_records(
        process, collision_energy=collision_energy, seed=seed, hook=hook, batch=batch
    )
    for record, tried in records:
        yield HardEvents(
            particles=particles_of_batch(record),
            events=len(record),
            tried=tried,
            truth_mass=_truth_mass(record, process.resonance),
        )


def generate_records(
    process: Process, *, collision_energy: float, seed: int, hook: Any = None, batch: int = _BATCH
) -> Iterator[tuple[Any, int]]:
    """Generate hard scatters without end, as PYTHIA's own records.

    Args:
        process: What PYTHIA makes.
        collision_energy: Energy of the proton-proton collision [GeV].
        seed: Seed of this stream.
        hook: a ``UserHooks`` object that counts in ``seen`` what it is shown, or None.
        batch: Events to yield at once.

    Yields:
        What ``Pythia.nextBatch`` returns, and the hard scatters tried for it.
    """
    pythia = build_pythia(process.commands, collision_energy=collision_energy, seed=seed, hook=hook)
    seen = 0
    while True:
        record = pythia.nextBatch(batch)
        before, seen = seen, seen + len(record) if hook is None else hook.seen
        yield record, seen - before


def _truth_mass(record: Any, resonance: int | None) -> FloatArray:
    if resonance is None:
        return np.full(len(record), np.nan)
    import awkward as ak

    first = ak.firsts(record.prt.m[abs(record.prt.id) == resonance])
    mass: FloatArray = ak.to_numpy(ak.fill_none(first, np.nan)).astype(np.float64)
    return mass


def _veto_hook(veto: Veto) -> Any:
    """Build the PYTHIA hook that drops events which do not pass a veto."""
    import pythia8mc

    class PartonLevelVeto(pythia8mc.UserHooks):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.seen = 0

        def canVetoPartonLevel(self) -> bool:
            return True

        def doVetoPartonLevel(self, event: Any) -> bool:
            self.seen += 1
            codes, pt_min, eta_max = veto.codes, veto.pt_min, veto.eta_max
            # resonances decay last: their products stand at the end of the record
            for index in range(event.size() - 1, 4, -1):
                particle = event[index]
                if (
                    particle.idAbs() in codes
                    and particle.isFinal()
                    and particle.pT() > pt_min
                    and abs(particle.eta()) < eta_max
                ):
                    return False
            return True

    return PartonLevelVeto()

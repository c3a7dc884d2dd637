"""Hard scatters from PYTHIA, with a veto before the costly step, hadronization."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from l1distill.simulation.particles import FloatArray, Particles, from_batch
from l1distill.tasks.anomaly.generator.processes import COMMON, SAMPLES, Process

_BATCH = 200  # hard scatters fetched at once
_PYTHIA_SEEDS = 900_000_000  # PYTHIA takes seeds up to this

# What a reconstructed lepton above the filter's threshold can come from. Tracks are smeared by a
# few percent, so the parton-level thresholds leave room below it; tests hold the room against
# events without veto.
_PROMPT_PT_SHARE = 0.8
_HEAVY_PT_SHARE = 1.0
_ETA_MAX = 2.7


class HardEvents(NamedTuple):
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


def build_pythia(commands: tuple[str, ...], seed: int, hook: Any = None) -> Any:
    """Initializes PYTHIA.

    Args:
        commands: Settings beyond those common to all processes.
        seed: Any non-negative integer.
        hook: A ``UserHooks`` object, or None.

    Raises:
        RuntimeError: If PYTHIA refuses a setting or does not initialize.
    """
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    for command in (*COMMON, *commands, f"Random:seed = {1 + seed % _PYTHIA_SEEDS}"):
        if not pythia.readString(command):
            raise RuntimeError(f"PYTHIA refuses the setting {command!r}")
    if hook is not None:
        pythia.setUserHooksPtr(hook)
    if not pythia.init():
        raise RuntimeError("PYTHIA does not initialize; run it with Print:quiet = off to see why")
    return pythia


def commands_of(process: Process, mpi: bool) -> tuple[str, ...]:
    """Lists PYTHIA's settings of a process, with or without multi-parton interactions."""
    return process.commands if mpi else (*process.commands, "PartonLevel:MPI = off")


def generate_hard(
    sample: str, seed: int, mpi: bool, lepton_pt_min: float, batch: int = _BATCH
) -> Iterator[HardEvents]:
    """Generates hard scatters for ever, those that can pass the lepton filter.

    Args:
        sample: A key of ``SAMPLES``.
        seed: Seed of this stream.
        mpi: Whether PYTHIA makes multi-parton interactions.
        lepton_pt_min: Lepton filter's threshold [GeV].
        batch: Events to yield at once.
    """
    process = SAMPLES[sample]
    hook = _veto_hook(process, lepton_pt_min)
    pythia = build_pythia(commands_of(process, mpi), seed, hook)
    tried = 0
    while True:
        record = pythia.nextBatch(batch)
        yield HardEvents(
            from_batch(record), len(record), hook.seen - tried, _truth_mass(record, process)
        )
        tried = hook.seen


def _truth_mass(record: Any, process: Process) -> FloatArray:
    if process.resonance is None:
        return np.full(len(record), np.nan)
    import awkward as ak

    first = ak.firsts(record.prt.m[abs(record.prt.id) == process.resonance])
    mass: FloatArray = ak.to_numpy(ak.fill_none(first, np.nan)).astype(np.float64)
    return mass


def _veto_hook(process: Process, lepton_pt_min: float) -> Any:
    """Builds a hook that drops events without a possible source of a hard lepton."""
    import pythia8mc

    class LeptonVeto(pythia8mc.UserHooks):  # type: ignore[misc]
        def __init__(self, codes: frozenset[int], pt_min: float) -> None:
            super().__init__()
            self.seen = 0
            self._codes = codes
            self._pt_min = pt_min

        def canVetoPartonLevel(self) -> bool:
            return True

        def doVetoPartonLevel(self, event: Any) -> bool:
            self.seen += 1
            codes, pt_min = self._codes, self._pt_min
            # resonances decay last: their products stand at the end of the record
            for index in range(event.size() - 1, 4, -1):
                particle = event[index]
                if (
                    particle.idAbs() in codes
                    and particle.isFinal()
                    and particle.pT() > pt_min
                    and abs(particle.eta()) < _ETA_MAX
                ):
                    return False
            return True

    if process.source == "heavy":
        return LeptonVeto(frozenset((4, 5)), _HEAVY_PT_SHARE * lepton_pt_min)
    return LeptonVeto(frozenset((11, 13, 15)), _PROMPT_PT_SHARE * lepton_pt_min)

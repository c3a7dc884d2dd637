"""Semileptonic decays of b and c hadrons, taken from a library instead of made anew.

A lepton that is hard and isolated comes from one b or c hadron in hundreds. Making a whole
collision for each try is what QCD costs; a decay alone is cheap. So PYTHIA leaves these hadrons
undecayed, and each hadronized collision is tried with several decays of its hadrons, drawn from
a library of decays at rest, turned at random and boosted. Every try has the weight of an
independent event. One accepted event in five shares its collision with another; the two differ in
leptons and their neighborhood, in pileup and in the detector's noise, and each try as a whole is
turned in phi and mirrored in eta at random, which physics does not notice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from l1distill.simulation.columns import FloatArray, IntArray
from l1distill.simulation.hard import HardEvents
from l1distill.simulation.kinematics import (
    boost,
    pseudorapidity,
    random_rotations,
    transverse_momentum,
    wrap_phi,
)
from l1distill.simulation.particles import ELECTRON, MUON, Particles, is_visible
from l1distill.simulation.pythia import build_pythia
from l1distill.simulation.ragged import rows_of_entries, rows_of_events

HEAVY_HADRONS = (
    511, 521, 531, 541, 5122, 5132, 5232, 5332,
    411, 421, 431, 4122, 4132, 4232, 4332,
)  # fmt: skip
"""Weakly decaying hadrons with b or c."""
UNDECAYED = tuple(f"{code}:mayDecay = off" for code in HEAVY_HADRONS)
"""PYTHIA settings of the collisions that :func:`redecay` takes."""

TRIES = 8  # decays of each collision
_FORCED_DECAYS = tuple(
    f"{code}:{setting}" for code in HEAVY_HADRONS for setting in ("onMode = off", "onIfAny = 11 13")
)
_ETA_MAX = 2.6
_PT_SHARE = 0.85  # of the lepton threshold: what smearing of a few percent cannot make up for
_COMMON = (511, 521, 411, 421)
_UNCOMMON = (531, 5122, 431, 4122)
_POSITION = np.argsort(HEAVY_HADRONS)
_SORTED = np.array(HEAVY_HADRONS)[_POSITION]


@dataclass(frozen=True, kw_only=True)
class DecayLibrary:
    """Decays at rest, flat; decay i owns the products ``first[i]`` to ``first[i + 1]``.

    Attributes:
        species_first: (n_species + 1,) first decay of each of ``HEAVY_HADRONS``, in their order.
        mass: (n_species,) [GeV].
        first: (n_decays + 1,) first visible product of each decay.
        code: (n,) absolute PDG code.
        momentum: (n, 3) px, py, pz [GeV].
        energy: (n,) [GeV].
    """

    species_first: IntArray
    mass: FloatArray
    first: IntArray
    code: IntArray
    momentum: FloatArray
    energy: FloatArray


def build_library(
    size: int,
    *,
    collision_energy: float,
    seed: int,
    progress: Callable[[float], None] | None = None,
) -> DecayLibrary:
    """Build a library of semileptonic decays with PYTHIA.

    Args:
        size: Decays of each common hadron; rare ones get a quarter or a twentieth.
        collision_energy: Energy that PYTHIA is initialized with [GeV]; decays do not depend on it.
        seed: Seed of PYTHIA.
        progress: Called with the fraction done, in (0, 1], after each hadron.
    """
    import pythia8mc

    pythia = build_pythia(
        ("ProcessLevel:all = off", *_FORCED_DECAYS), collision_energy=collision_energy, seed=seed
    )
    event = pythia.event
    masses, species_first, counts = [], [0], []
    codes: list[int] = []
    momenta: list[tuple[float, float, float, float]] = []
    numbers = {species: _decays_of(species, size) for species in HEAVY_HADRONS}
    for species, number in numbers.items():
        mass = pythia.particleData.m0(species)
        for _ in range(number):
            event.reset()
            event.append(species, 91, 0, 0, pythia8mc.Vec4(0.0, 0.0, 0.0, mass), mass)
            pythia.moreDecays()
            before = len(codes)
            for index in range(1, event.size()):
                product = event[index]
                if product.isFinal() and is_visible(product.idAbs()):
                    codes.append(product.idAbs())
                    momenta.append((product.px(), product.py(), product.pz(), product.e()))
            counts.append(len(codes) - before)
        masses.append(mass)
        species_first.append(species_first[-1] + number)
        if progress is not None:
            progress(species_first[-1] / sum(numbers.values()))
    table = np.array(momenta)
    return DecayLibrary(
        species_first=np.array(species_first),
        mass=np.array(masses),
        first=np.concatenate([[0], np.cumsum(counts)]),
        code=np.array(codes),
        momentum=table[:, :3],
        energy=table[:, 3],
    )


def _decays_of(species: int, size: int) -> int:
    """Return the number of decays of a hadron in a library of the given size."""
    share = 1.0 if species in _COMMON else 0.25 if species in _UNCOMMON else 0.05
    return max(20, round(share * size))


def redecay(
    hard: HardEvents, library: DecayLibrary, lepton_pt_min: float, rng: np.random.Generator
) -> HardEvents:
    """Try each collision with several decays of its b and c hadrons.

    Args:
        hard: Collisions with these hadrons undecayed.
        library: Where to draw decays from.
        lepton_pt_min: Threshold on reconstructed leptons that a try has to be able to pass [GeV].
        rng: Source of randomness.

    Returns:
        The tries with a lepton that may pass the threshold, as events of their own.
    """
    heavy = np.isin(hard.particles.code, HEAVY_HADRONS)
    hadrons = hard.particles.take(heavy)
    rest = hard.particles.take(~heavy)
    # try t of event e is the new event e * TRIES + t
    tries = replace(
        hadrons.take(np.repeat(np.arange(len(hadrons.event)), TRIES)),
        event=(hadrons.event[:, None] * TRIES + np.arange(TRIES)).ravel(),
    )
    source = tries.pt > _PT_SHARE * lepton_pt_min
    products = _decay(tries.take(source), library, rng)
    lepton = (products.code == ELECTRON) | (products.code == MUON)
    lepton &= products.pt > _PT_SHARE * lepton_pt_min
    lepton &= np.abs(products.eta) < _ETA_MAX
    kept = np.zeros(hard.events * TRIES, dtype=bool)
    kept[products.event[lepton]] = True

    others = _decay(tries.take(~source).select_events(kept), library, rng)
    products = products.select_events(kept)
    parents = np.flatnonzero(kept) // TRIES
    row, owner = rows_of_events(rest.event, parents)
    spectators = replace(rest.take(row), event=owner)
    particles = Particles.merge(spectators, products, others)
    return HardEvents(
        particles=_turn(particles, len(parents), rng),
        events=len(parents),
        tried=hard.tried * TRIES,
        truth_mass=hard.truth_mass[parents],
    )


def _turn(particles: Particles, n_events: int, rng: np.random.Generator) -> Particles:
    """Turn each event in phi and mirror it in eta, at random."""
    angle = rng.uniform(-np.pi, np.pi, n_events)[particles.event]
    sign = rng.choice([-1.0, 1.0], n_events)[particles.event]
    return replace(particles, eta=sign * particles.eta, phi=wrap_phi(particles.phi + angle))


def _decay(hadrons: Particles, library: DecayLibrary, rng: np.random.Generator) -> Particles:
    """Decay each hadron with a random entry of the library."""
    species = _POSITION[np.searchsorted(_SORTED, hadrons.code)]
    low, high = library.species_first[species], library.species_first[species + 1]
    entry = low + np.floor((high - low) * rng.random(len(low))).astype(np.int64)
    row, owner = rows_of_entries(library.first, entry)

    rotation = random_rotations(len(entry), rng)
    momentum = np.einsum("nij,nj->ni", rotation[owner], library.momentum[row])
    px, py = transverse_momentum(hadrons.pt, hadrons.phi)
    flight = np.stack([px, py, hadrons.pt * np.sinh(hadrons.eta)], axis=1)
    gamma_beta = flight / library.mass[species][:, None]
    momentum, energy = boost(momentum, library.energy[row], gamma_beta[owner])
    pt = np.hypot(momentum[:, 0], momentum[:, 1])
    return Particles(
        event=hadrons.event[owner],
        code=library.code[row],
        pt=pt,
        eta=pseudorapidity(pt, momentum[:, 2]),
        phi=np.arctan2(momentum[:, 1], momentum[:, 0]),
        energy=energy,
    )

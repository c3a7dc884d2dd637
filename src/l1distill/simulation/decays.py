"""Semileptonic decays of b and c hadrons, taken from a library instead of made anew.

A lepton that is hard and isolated comes from one b or c hadron in hundreds. Making a whole
collision for each try is what QCD costs; a decay alone is cheap. So PYTHIA leaves these hadrons
undecayed, and each hadronized collision is tried with several decays of its hadrons, drawn from
a library of decays at rest, turned at random and boosted. Every try has the weight of an
independent event. One accepted event in five shares its collision with another; the two differ in
leptons and their neighborhood, in pileup and in the detector's noise, and each try as a whole is
turned in phi and mirrored in eta at random, which physics does not notice.
"""

from typing import NamedTuple

import numpy as np

from l1distill.simulation.hard import HardEvents, build_pythia
from l1distill.simulation.particles import (
    ELECTRON,
    MUON,
    BoolArray,
    FloatArray,
    IntArray,
    Particles,
    is_visible,
    select_events,
    wrap,
)
from l1distill.tasks.anomaly.generator.processes import FORCED_DECAYS, HEAVY_HADRONS

TRIES = 8  # decays of each collision
_ETA_MAX = 2.6
_PT_SHARE = 0.85  # of the filter's threshold: what smearing of a few percent cannot make up for
_COMMON = (511, 521, 411, 421)
_UNCOMMON = (531, 5122, 431, 4122)


class DecayLibrary(NamedTuple):
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


def build_library(size: int, seed: int) -> DecayLibrary:
    """Makes a library with PYTHIA.

    Args:
        size: Decays of each common hadron; rare ones get a quarter or a twentieth.
        seed: Seed of PYTHIA.
    """
    import pythia8mc

    pythia = build_pythia(("ProcessLevel:all = off", *FORCED_DECAYS), seed)
    event = pythia.event
    masses, species_first, counts = [], [0], []
    codes: list[int] = []
    momenta: list[tuple[float, float, float, float]] = []
    for species in HEAVY_HADRONS:
        share = 1.0 if species in _COMMON else 0.25 if species in _UNCOMMON else 0.05
        mass = pythia.particleData.m0(species)
        number = max(20, round(share * size))
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
    table = np.array(momenta)
    return DecayLibrary(
        np.array(species_first),
        np.array(masses),
        np.concatenate([[0], np.cumsum(counts)]),
        np.array(codes),
        table[:, :3],
        table[:, 3],
    )


def redecay(
    hard: HardEvents, library: DecayLibrary, lepton_pt_min: float, rng: np.random.Generator
) -> HardEvents:
    """Tries each collision with several decays of its b and c hadrons.

    Args:
        hard: Collisions with these hadrons undecayed.
        library: Where to draw decays from.
        lepton_pt_min: The lepton filter's threshold [GeV].
        rng: Source of randomness.

    Returns:
        The tries with a lepton that may pass the filter, as events of their own.
    """
    heavy = np.isin(hard.particles.code, HEAVY_HADRONS)
    hadrons = _take(hard.particles, heavy)
    rest = _take(hard.particles, ~heavy)
    # try t of event e is the new event e * TRIES + t
    tries = Particles(
        (hadrons.event[:, None] * TRIES + np.arange(TRIES)).ravel(),
        *(np.repeat(column, TRIES) for column in hadrons[1:]),
    )
    source = tries.pt > _PT_SHARE * lepton_pt_min
    products = _decay(_take(tries, source), library, rng)
    lepton = (products.code == ELECTRON) | (products.code == MUON)
    lepton &= products.pt > _PT_SHARE * lepton_pt_min
    lepton &= np.abs(products.eta) < _ETA_MAX
    kept = np.zeros(hard.events * TRIES, dtype=bool)
    kept[products.event[lepton]] = True

    others = _decay(select_events(_take(tries, ~source), kept), library, rng)
    products = select_events(products, kept)
    parents = np.flatnonzero(kept) // TRIES
    first = np.searchsorted(rest.event, parents)
    counts = np.searchsorted(rest.event, parents, side="right") - first
    owner = np.repeat(np.arange(len(parents)), counts)
    row = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner] + first[owner]
    spectators = Particles(owner, *(column[row] for column in rest[1:]))
    columns = [np.concatenate(parts) for parts in zip(spectators, products, others, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return HardEvents(
        _turn(Particles(*(column[order] for column in columns)), len(parents), rng),
        len(parents),
        hard.tried * TRIES,
        hard.truth_mass[parents],
    )


def _turn(particles: Particles, n_events: int, rng: np.random.Generator) -> Particles:
    """Turns each event in phi and mirrors it in eta, at random."""
    angle = rng.uniform(-np.pi, np.pi, n_events)[particles.event]
    sign = rng.choice([-1.0, 1.0], n_events)[particles.event]
    return particles._replace(eta=sign * particles.eta, phi=wrap(particles.phi + angle))


def _take(particles: Particles, mask: BoolArray) -> Particles:
    return Particles(*(column[mask] for column in particles))


def _decay(hadrons: Particles, library: DecayLibrary, rng: np.random.Generator) -> Particles:
    """Decays each hadron with a random entry of the library."""
    species = np.searchsorted(_SORTED, hadrons.code)
    species = _POSITION[species]
    low, high = library.species_first[species], library.species_first[species + 1]
    entry = low + np.floor((high - low) * rng.random(len(low))).astype(np.int64)
    counts = library.first[entry + 1] - library.first[entry]
    owner = np.repeat(np.arange(len(entry)), counts)
    row = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner] + library.first[entry][owner]

    momentum = np.einsum("nij,nj->ni", _rotations(len(entry), rng)[owner], library.momentum[row])
    flight = np.stack(
        [
            hadrons.pt * np.cos(hadrons.phi),
            hadrons.pt * np.sin(hadrons.phi),
            hadrons.pt * np.sinh(hadrons.eta),
        ],
        axis=1,
    )
    flight /= library.mass[species][:, None]  # gamma beta
    gamma = np.sqrt(1 + (flight**2).sum(axis=1))
    flight, gamma = flight[owner], gamma[owner]
    along = (momentum * flight).sum(axis=1)
    energy = gamma * library.energy[row] + along
    momentum = momentum + flight * (library.energy[row] + along / (1 + gamma))[:, None]
    pt = np.hypot(momentum[:, 0], momentum[:, 1])
    return Particles(
        hadrons.event[owner],
        library.code[row],
        pt,
        np.arcsinh(momentum[:, 2] / np.maximum(pt, 1e-9)),
        np.arctan2(momentum[:, 1], momentum[:, 0]),
        energy,
    )


def _rotations(number: int, rng: np.random.Generator) -> FloatArray:
    """Draws uniform rotations, (number, 3, 3), from random unit quaternions."""
    w, x, y, z = (q := rng.standard_normal((4, number))) / np.sqrt((q**2).sum(axis=0))
    return np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1),
        ],
        axis=1,
    )


_POSITION = np.argsort(HEAVY_HADRONS)
_SORTED = np.array(HEAVY_HADRONS)[_POSITION]

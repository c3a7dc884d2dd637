"""Derive the jet energy scale from simulated QCD, and show where it leaves the Higgs boson's peak.

Run from the project's folder: ``python benchmarks/jet_energy_scale.py [collisions]``. Prints the
numbers of ``tasks/jets/generator/energy_scale.py``, the response by pT and abs(eta) before and
after, and the peak of the soft-drop mass of H -> bb jets: of all stable particles, without
neutrinos, measured, and calibrated.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np
from recording import arguments, show
from rich.console import Console
from rich.table import Table

from l1distill.simulation.columns import FloatArray
from l1distill.simulation.hard import generate_records
from l1distill.simulation.kinematics import delta_r_squared
from l1distill.simulation.particles import displaced_particles_of_batch
from l1distill.simulation.pythia import Process
from l1distill.tasks.jets.checks import peak_position
from l1distill.tasks.jets.generator.energy_scale import ETA_EDGES, PT_REFERENCE, energy_scale
from l1distill.tasks.jets.generator.flow import find_jets, four_momenta, measure_flow
from l1distill.tasks.jets.generator.grooming import soft_drop
from l1distill.tasks.jets.generator.particle_jets import nearest, particle_jets
from l1distill.tasks.jets.generator.plan import COLLISION_ENERGY, SIGNAL, process_of
from l1distill.tasks.jets.generator.settings import GeneratorSettings
from l1distill.tasks.jets.generator.truth import collimation_veto, count_within, read_truth

RADIUS, B_RADIUS, ISOLATION = 1.0, 0.9, 1.5
ETA_MAX = 2.5
PARTICLE_PT_MIN, MEASURED_PT_MIN = 120.0, 60.0  # [GeV]: low enough that no bin is cut
PT_EDGES = (150.0, 200.0, 250.0, 300.0, 370.0, 470.0, 600.0, 850.0, 1500.0)
GROOMED_MASS_MIN = 40.0  # [GeV]: below, the groomed mass is that of one hard parton
# flat enough in pT that every bin is filled; a bin's median does not depend on it
SPECTRUM = (
    "PhaseSpace:pTHatMin = 140.",
    "PhaseSpace:bias2Selection = on",
    "PhaseSpace:bias2SelectionPow = 5.",
    "PhaseSpace:bias2SelectionRef = 200.",
)


@dataclass(frozen=True, kw_only=True)
class Matched:
    """Measured jets, not calibrated, beside jets of the same particles, (n,) each.

    Attributes:
        pt: measured [GeV].
        eta: measured.
        mass: after soft drop [GeV].
        particle_pt: without neutrinos [GeV].
        particle_eta: likewise.
        visible_mass: soft-drop mass without neutrinos [GeV].
        whole_mass: soft-drop mass of all particles [GeV].
        chosen: whether the jet is alone in its part of the event; of a signal, whether both b
            quarks are in it.
    """

    pt: FloatArray
    eta: FloatArray
    mass: FloatArray
    particle_pt: FloatArray
    particle_eta: FloatArray
    visible_mass: FloatArray
    whole_mass: FloatArray
    chosen: FloatArray

    @property
    def calibrated(self) -> tuple[FloatArray, FloatArray]:
        """PT and soft-drop mass [GeV]."""
        scale = energy_scale.parabola(energy_scale.JETS, self.pt, self.eta)
        pt = self.pt * scale
        groomed = energy_scale.parabola(energy_scale.GROOMED, pt, self.eta)
        return pt, self.mass * scale * groomed


def match(sample: str, mpi: str, collisions: int, seed: int) -> Matched:
    """Simulate collisions and match their jets."""
    process = process_of(sample, GeneratorSettings.model_validate({"mpi": mpi}))
    signal = sample == SIGNAL
    if not signal:
        process = Process(commands=(*process.commands, *SPECTRUM))
    rng = np.random.default_rng(seed)
    hook = collimation_veto() if signal else None
    stream = generate_records(process, collision_energy=COLLISION_ENERGY, seed=seed, hook=hook)
    parts, made = [], 0
    while made < collisions:
        record, _ = next(stream)
        n = len(record)
        made += n
        flow = measure_flow(displaced_particles_of_batch(record), n, rng)
        found = find_jets(flow, n, RADIUS, MEASURED_PT_MIN, ETA_MAX)
        momenta = four_momenta(flow.take(found.rows), found.counts)
        mass = soft_drop(momenta, found, RADIUS)["softdrop_mass"]
        visible, whole = (
            particle_jets(record, RADIUS, PARTICLE_PT_MIN, ETA_MAX, neutrinos=neutrinos)
            for neutrinos in (False, True)
        )
        jets = visible.jets
        at, of_all = nearest(jets, found), nearest(jets, whole.jets)
        if signal:
            quarks = read_truth(record).quarks
            chosen = count_within(jets.event, jets.eta, jets.phi, quarks, B_RADIUS) == 2
        else:
            squared = delta_r_squared(
                jets.eta[:, None], jets.phi[:, None], jets.eta[None], jets.phi[None]
            )
            near = (squared < ISOLATION**2) & (jets.event[:, None] == jets.event[None])
            chosen = near.sum(axis=1) == 1
        both = (at >= 0) & (of_all >= 0)
        at, of_all = at[both], of_all[both]
        parts.append(
            (
                found.pt[at],
                found.eta[at],
                mass[at],
                jets.pt[both],
                jets.eta[both],
                visible.softdrop_mass[both],
                whole.softdrop_mass[of_all],
                chosen[both],
            )
        )
    names = Matched.__dataclass_fields__
    return Matched(
        **{
            name: np.concatenate(one)
            for name, one in zip(names, zip(*parts, strict=False), strict=True)
        }
    )


def bins(jets: Matched) -> list[list[np.ndarray]]:
    """Return the jets of each bin of abs(eta) and pT of the particles."""
    eta, edges = np.abs(jets.particle_eta), ETA_EDGES
    chosen = jets.chosen.astype(bool)
    return [
        [
            np.flatnonzero(
                chosen
                & (eta >= low)
                & (eta < high)
                & (jets.particle_pt >= a)
                & (jets.particle_pt < b)
            )
            for a, b in itertools.pairwise(PT_EDGES)
        ]
        for low, high in itertools.pairwise(edges)
    ]


def fit(x: list[float], y: list[float], error: list[float]) -> tuple[float, float, float]:
    """Fit a parabola in log pT."""
    log = np.log(np.asarray(x) / PT_REFERENCE)
    curvature, slope, constant = np.polyfit(log, y, 2, w=1.0 / np.asarray(error))
    return round(float(constant), 4), round(float(slope), 4), round(float(curvature), 4)


def derive(jets: Matched) -> list[tuple[float, float, float]]:
    """Fit the inverse of the median response against the measured pT."""
    ratio, fits = jets.pt / jets.particle_pt, []
    for row in bins(jets):
        points = [
            (
                float(np.median(jets.pt[rows])),
                1.0 / float(np.median(ratio[rows])),
                float(1.25 * ratio[rows].std() / np.sqrt(len(rows))),
            )
            for rows in row
            if len(rows) > 20
        ]
        x, y, error = (list(one) for one in zip(*points, strict=True))
        fits.append(fit(x, y, error))
    return fits


def response_table(title: str, jets: Matched, ratio: FloatArray) -> Table:
    """Return medians by pT and abs(eta), with their standard errors."""
    table = Table(title=title)
    table.add_column("abs(eta) from")
    for low in PT_EDGES[:-1]:
        table.add_column(f"pT from {low:g} GeV")
    for low, row in zip(ETA_EDGES, bins(jets), strict=False):
        cells = [
            f"{np.median(ratio[rows]):.3f} ± {1.25 * ratio[rows].std() / np.sqrt(len(rows)):.3f}"
            if len(rows) > 1
            else "-"
            for rows in row
        ]
        table.add_row(f"{low:g}", *cells)
    return table


def main() -> None:
    given = arguments()
    collisions = int(given[0]) if given else 6000
    qcd = match("qcd", "full", collisions, 13)
    coefficients = derive(qcd)
    scale = energy_scale(qcd.pt, qcd.eta, coefficients)
    print("COEFFICIENTS =", coefficients)
    heavy = replace(qcd, chosen=qcd.chosen.astype(bool) & (qcd.visible_mass > GROOMED_MASS_MIN))
    tables = [
        response_table("pT response, measured", qcd, qcd.pt / qcd.particle_pt),
        response_table("pT response, calibrated", qcd, qcd.pt * scale / qcd.particle_pt),
        response_table(
            "response of soft-drop masses above 40 GeV, calibrated",
            heavy,
            qcd.mass * scale / np.maximum(qcd.visible_mass, 1.0),
        ),
    ]
    peaks = Table(title="peak of the soft-drop mass of H -> bb jets [GeV]")
    for word in ("MPI", "all particles", "without neutrinos", "measured", "calibrated"):
        peaks.add_column(word)
    for mpi in ("off", "full"):
        higgs = match(SIGNAL, mpi, collisions // 2, 14)
        scale = energy_scale(higgs.pt, higgs.eta, coefficients)
        kept = higgs.chosen.astype(bool) & (higgs.pt * scale > 250) & (np.abs(higgs.eta) < 1.9)
        found = (higgs.whole_mass, higgs.visible_mass, higgs.mass, higgs.mass * scale)
        peaks.add_row(mpi, *(f"{peak_position(one[kept]):.1f}" for one in found))
    for table in tables:
        Console(width=150).print(table)
    show("jet_energy_scale", peaks, [f"Coefficients: {coefficients}."])


if __name__ == "__main__":
    main()

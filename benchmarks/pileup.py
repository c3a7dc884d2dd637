"""Measure how the time of an event grows with pileup, from generation to the student.

Run from the project's folder: ``python benchmarks/pileup.py [events]``. One process, one core; CPU
time in ms an event, at several means of pileup, and the rates that follow. The exponent is the
slope of the logarithm of the time over that of the particles, beside that of n log n.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from recording import arguments, show
from rich.table import Table

from l1distill.models.families import build_network as build_student
from l1distill.models.mlp import StudentSettings
from l1distill.simulation.jobs import job_path
from l1distill.tasks.pileup.encoding import choose_features
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.generator.plan import plan_pool, plan_shards
from l1distill.tasks.pileup.generator.settings import GeneratorSettings
from l1distill.tasks.pileup.generator.shard import make_job, read_shard
from l1distill.tasks.pileup.graph import nearest
from l1distill.tasks.pileup.graph_network import build_network
from l1distill.tasks.pileup.graph_settings import PUBLISHED, GraphSettings
from l1distill.tasks.pileup.graph_training import graph_weights
from l1distill.tasks.pileup.inference import cpu_seconds
from l1distill.tasks.pileup.settings import PileupInputSettings
from l1distill.tasks.pileup.study import student_weights
from l1distill.tasks.pileup.weights import Weights, puppi_anew

PILEUP = (60.0, 100.0, 140.0, 200.0)
NEIGHBORS = 12
ONE_BY_ONE = 8
"""Events that networks are given, one at a time."""


def generate(settings: GeneratorSettings, number: int, folder: Path) -> tuple[float, Events]:
    """Generate events; returns the CPU time of one [s], PYTHIA's initialization apart, and all."""
    times = []
    for events in (1, number):
        chosen = settings.model_copy(update={"train": events, "shard": events})
        shard = plan_shards(chosen)[0]
        start = time.process_time()
        make_job(chosen, shard, folder)
        times.append(time.process_time() - start)
        made = read_shard(folder, shard)
        job_path(folder, shard).unlink()
    return (times[1] - times[0]) / (number - 1), made


def networks() -> dict[str, Weights]:
    """Return untrained networks, whose times are those of trained ones."""
    graphs = {"our teacher": GraphSettings(), "published teacher": PUBLISHED}
    student = build_student(StudentSettings(layers=[128, 64], quantized=False), (16,), 1, ())
    return {
        **{
            name: graph_weights(build_network(settings), settings, 1.0)
            for name, settings in graphs.items()
        },
        "student": student_weights(student, choose_features(PileupInputSettings())),
    }


def one_by_one(weights: Weights, events: Events) -> Callable[[], object]:
    """Return what asks a network about events, each alone."""
    number = min(len(events), ONE_BY_ONE)
    single = [events.select(np.arange(len(events)) == at) for at in range(number)]
    weights(single[0])  # TensorFlow prepares its graph
    return lambda: [weights(one) for one in single]


def main() -> None:
    given = arguments()
    number = int(given[0]) if given else 20
    of_networks = networks()
    table = Table(
        *("pileup", "particles", "generation", "PUPPI", f"k = {NEIGHBORS} neighbors"), *of_networks
    )
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for pileup in PILEUP:
            settings = GeneratorSettings(train=number, test=1, pileup=pileup, pool=1000, seed=1)
            make_job(settings, plan_pool(settings), folder)
            made, events = generate(settings, number, folder)
            puppi, particles = puppi_anew(settings.puppi), events.particles
            times = [
                made,
                cpu_seconds(lambda: puppi(events)) / number,  # noqa: B023
                cpu_seconds(lambda: nearest(particles, NEIGHBORS)) / number,  # noqa: B023
            ]
            for weights in of_networks.values():
                times.append(cpu_seconds(one_by_one(weights, events)) / min(number, ONE_BY_ONE))
            mean = len(particles.event) / number
            rows.append([mean, *times])
            cells = [f"{1e3 * value:.1f}" for value in times]
            table.add_row(f"{pileup:.0f}", f"{mean:.0f}", *cells)
    measured = np.array(rows)
    particles_of, times_of = measured[:, 0], measured[:, 1:]
    rates = [f"{1 / value:.0f}" for value in times_of[-2]]
    table.add_row(f"events/CPU-s at {PILEUP[-2]:.0f}", "", *rates)
    growth = measured[-1] / measured[0]
    table.add_row("growth, 60 to 200", *(f"{value:.2f}" for value in growth))
    slopes = np.polyfit(np.log(particles_of), np.log(times_of), 1)[0]
    table.add_row("exponent", "1", *(f"{value:.2f}" for value in slopes))
    allowed = particles_of * np.log(particles_of)
    exponent = np.polyfit(np.log(particles_of), np.log(allowed), 1)[0]
    notes = [
        f"CPU-ms an event; n log n grows by {allowed[-1] / allowed[0]:.2f}, with an exponent of "
        f"{exponent:.2f}. Exponents are of all four means of pileup.",
        f"{number} events of W + jets, {min(number, ONE_BY_ONE)} for networks, one at a time. "
        "Teachers find their neighbors; the student's inputs are made of particles that have their "
        "PUPPI weight. Generation is without PYTHIA's initialization and the pool.",
    ]
    show("pileup", table, notes)


if __name__ == "__main__":
    main()

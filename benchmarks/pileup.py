"""Measure how the time of an event grows with pileup: generation, PUPPI, neighbors, teachers.

Run from the project's folder: ``python benchmarks/pileup.py [events]``. One process, one core; CPU
time in ms an event, at several means of pileup. The growth is that of the last row over the first,
beside that of n log n.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from recording import arguments, show
from rich.table import Table

from l1distill.simulation.jobs import job_path
from l1distill.tasks.pileup.generator.plan import plan_pool, plan_shards
from l1distill.tasks.pileup.generator.settings import GeneratorSettings
from l1distill.tasks.pileup.generator.shard import make_job, read_shard
from l1distill.tasks.pileup.graph import nearest
from l1distill.tasks.pileup.graph_network import build_network
from l1distill.tasks.pileup.graph_settings import PUBLISHED, GraphSettings
from l1distill.tasks.pileup.graph_training import graph_weights
from l1distill.tasks.pileup.weights import puppi_anew

PILEUP = (60.0, 100.0, 140.0, 200.0)


def cpu_ms(work: Callable[[], object], events: int) -> float:
    """Return the CPU time of an event [ms]."""
    start = time.process_time()
    work()
    return 1e3 * (time.process_time() - start) / events


def main() -> None:
    given = arguments()
    number = int(given[0]) if given else 20
    columns = ["pileup", "particles", "generation", "PUPPI", "k = 12 neighbors"]
    networks = {"our teacher": GraphSettings(), "published teacher": PUBLISHED}
    table = Table(*columns, *networks)
    rows = []
    answers = {
        name: graph_weights(build_network(settings), settings, 1.0)
        for name, settings in networks.items()
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for pileup in PILEUP:
            settings = GeneratorSettings(
                train=number, test=1, shard=number, pileup=pileup, pool=1000, seed=1
            )
            puppi = puppi_anew(settings.puppi)
            make_job(settings, plan_pool(settings), folder)
            shard = plan_shards(settings)[0]
            times = [cpu_ms(lambda: make_job(settings, shard, folder), number)]  # noqa: B023
            events = read_shard(folder, shard)
            job_path(folder, shard).unlink()
            particles = events.particles
            times.append(cpu_ms(lambda: puppi(events), number))  # noqa: B023
            times.append(cpu_ms(lambda: nearest(particles, 12), number))  # noqa: B023
            single = [events.select(np.arange(number) == at) for at in range(min(number, 8))]
            for weights in answers.values():
                weights(single[0])  # TensorFlow prepares its graph
                times.append(
                    cpu_ms(lambda: [weights(one) for one in single], len(single))  # noqa: B023
                )
            mean = len(particles.event) / number
            rows.append([mean, *times])
            table.add_row(f"{pileup:.0f}", f"{mean:.0f}", *(f"{value:.1f}" for value in times))
    first, last = np.array(rows[0]), np.array(rows[-1])
    table.add_row("growth", *(f"{value:.2f}" for value in last / first))
    allowed = last[0] * np.log(last[0]) / (first[0] * np.log(first[0]))
    notes = [
        f"CPU-ms an event; n log n grows by {allowed:.2f}.",
        "Times of teachers hold their neighbors; generation holds PYTHIA's initialization.",
    ]
    show("pileup", table, notes)


if __name__ == "__main__":
    main()

"""Measure accepted events per CPU second, process by process, beside PYTHIA's rate alone.

Run from the project's folder: ``python benchmarks/generator.py [events per process]``. One
process, one core; stocks and PYTHIA's initialization are timed separately, since a large data set
pays for them once. The costs of ``plan.py`` are the last column: CPU time in units of a W event.
"""

import resource
import tempfile
import time
from pathlib import Path

from recording import arguments, show
from rich.table import Table

from l1distill.simulation.pythia import Process, build_pythia
from l1distill.tasks.anomaly.events import PROCESSES, SIGNALS
from l1distill.tasks.anomaly.generator.plan import Job, Shard, plan_stocks
from l1distill.tasks.anomaly.generator.processes import COLLISION_ENERGY, MIX, SAMPLES
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.generator.shard import make_job, read_shard

PYTHIA_EVENTS = 300
TARGET_RATE = 60.0
"""Accepted events of the background mix per CPU second."""


def pythia_rate(process: Process) -> float:
    """Return events per CPU second of PYTHIA alone, without filter, detector or pileup."""
    pythia = build_pythia(process.commands, collision_energy=COLLISION_ENERGY, seed=1)
    start = time.process_time()
    for _ in range(PYTHIA_EVENTS):
        pythia.next()
    return PYTHIA_EVENTS / (time.process_time() - start)


def cpu_seconds(settings: GeneratorSettings, job: Job, folder: Path) -> float:
    """Return the CPU time of a job."""
    start = time.process_time()
    make_job(settings, job, folder)
    return time.process_time() - start


def main() -> None:
    given = arguments()
    events = int(given[0]) if given else 400
    table = Table(
        "", "events/CPU-s", "CPU-ms an entry or event", "cost", "acceptance", "start, CPU-ms"
    )
    settings = GeneratorSettings(pool=1000)
    w = SAMPLES["w"].process
    for name, process in (("default", w), ("without MPI", w.without_mpi())):
        table.add_row(f"PYTHIA next(), W, {name}", f"{pythia_rate(process):.0f}")
    seconds: dict[str, float] = {}
    rates, acceptances, starts = {}, {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stock in plan_stocks(settings):
            seconds[stock.name] = cpu_seconds(settings, stock, folder) / stock.size
        # the first shard pays for imports
        make_job(settings, Shard(sample="w", number=99, events=10, seed=1), folder)
        for sample in PROCESSES + SIGNALS:
            start = cpu_seconds(settings, Shard(sample=sample, number=1, events=1, seed=1), folder)
            shard = Shard(sample=sample, number=0, events=events, seed=1)
            total = cpu_seconds(settings, shard, folder)
            content = read_shard(folder, shard)
            rates[sample] = float(content.passed) / total
            acceptances[sample] = float(content.passed) / float(content.tried)
            starts[sample] = start
            seconds[sample] = (total - start) / events
    for name, value in seconds.items():
        made = name in rates
        table.add_row(
            f"{name}, accepted" if made else name,
            f"{rates[name]:.1f}" if made else "",
            f"{1e3 * value:.2f}",
            f"{value / seconds['w']:.2f}",
            f"{acceptances[name]:.4f}" if made else "",
            f"{1e3 * starts[name]:.0f}" if made else "",
        )
    overall = 1 / sum(share / rates[name] for name, share in MIX.items())
    table.add_row("background mix, accepted", f"{overall:.1f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    target = f"target: at least {TARGET_RATE:.0f} events of the mix per CPU second"
    show(
        "generator", table, [f"{events} events a process; {target}", f"peak memory {peak:.0f} MiB"]
    )


if __name__ == "__main__":
    main()

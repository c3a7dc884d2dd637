"""Measure accepted events per CPU second, process by process, beside PYTHIA's rate alone.

Run from the project's folder: ``python benchmarks/generator.py [events per process]``. One
process, one core; stocks and PYTHIA's initialization are timed separately, since a large data set
pays for them once. The costs of ``plan.py`` are the last column: CPU time in units of a W event.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

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
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    settings = GeneratorSettings(pool=1000)
    w = SAMPLES["w"].process
    for name, process in (("default", w), ("without MPI", w.without_mpi())):
        print(f"PYTHIA next(), W, {name:12} {pythia_rate(process):8.0f} events/CPU-s")
    seconds: dict[str, float] = {}
    rates = {}
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
            seconds[sample] = (total - start) / events
            print(
                f"{sample:12} {rates[sample]:8.1f} accepted/CPU-s, "
                f"acceptance {float(content.passed) / float(content.tried):.4f}, "
                f"start {1e3 * start:5.0f} CPU-ms"
            )
    for name, value in seconds.items():
        cost = value / seconds["w"]
        print(f"{name:16} {1e3 * value:8.2f} CPU-ms an entry or event, cost {cost:5.2f}")
    overall = 1 / sum(share / rates[name] for name, share in MIX.items())
    print(f"background mix {overall:8.1f} accepted/CPU-s (target: at least {TARGET_RATE:.0f})")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()

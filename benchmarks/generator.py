"""Accepted events a CPU-second, process by process, beside PYTHIA's bare rate in the same run.

Run from the project's folder: ``python benchmarks/generator.py [events per process]``. One
process, one core; pools and PYTHIA's initialization are timed apart, since a large data set pays
for them once.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from l1distill.simulation.hard import build_pythia
from l1distill.tasks.anomaly.events import PROCESSES, SIGNALS
from l1distill.tasks.anomaly.generator.plan import Shard
from l1distill.tasks.anomaly.generator.processes import MIX, SAMPLES
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.generator.shard import make_shard, make_stock, read_shard, stocks

BARE_EVENTS = 300


def bare_rate(commands: tuple[str, ...]) -> float:
    """W events a CPU-second from PYTHIA alone, without filter, detector or pileup."""
    pythia = build_pythia((*SAMPLES["w"].commands, *commands), 1)
    start = time.process_time()
    for _ in range(BARE_EVENTS):
        pythia.next()
    return BARE_EVENTS / (time.process_time() - start)


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    settings = GeneratorSettings(pool=1000)
    for name, commands in (("default", ()), ("without MPI", ("PartonLevel:MPI = off",))):
        print(f"PYTHIA next(), W, {name:12} {bare_rate(commands):8.0f} events/CPU-s")
    rates = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in stocks(settings):
            start = time.process_time()
            make_stock(settings, kind, folder)
            seconds = time.process_time() - start
            print(f"stock {kind:12} {1e3 * seconds / settings.pool_size:8.2f} CPU-ms an entry")
        # the first shard pays for imports
        make_shard(settings, Shard("w", 99, 10, 1), folder)
        for sample in PROCESSES + SIGNALS:
            shard = Shard(sample, 0, events, 1)
            start = time.process_time()
            make_shard(settings, shard, folder)
            seconds = time.process_time() - start
            content = read_shard(folder, shard)
            rates[sample] = float(content.passed) / seconds
            print(
                f"{sample:12} {rates[sample]:8.1f} accepted/CPU-s, "
                f"acceptance {float(content.passed) / float(content.tried):.4f}"
            )
    overall = 1 / sum(share / rates[name] for name, share in MIX.items())
    print(f"background mix {overall:8.1f} accepted/CPU-s (at least 60 wanted)")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()

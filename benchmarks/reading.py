"""Measure how long it takes to read a million events for training, format by format.

Run from the project's folder: ``python benchmarks/reading.py [events]``. Each row is a process of
its own with a warm page cache: CPU seconds and the growth of its own memory until every number of
every event was read once. The first row is what a stage does; it includes the SHA-256 of the file.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
from recording import arguments, show
from rich.table import Table

from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, write_card
from l1distill.tasks.anomaly.event_files import write_events
from l1distill.tasks.anomaly.events import Events

TARGET_S = 0.5
PROLOGUE = """
import resource, sys, time
import numpy as np, h5py
from pathlib import Path
from l1distill.tasks.anomaly.dataset import open_dataset
from l1distill.tasks.anomaly.event_files import read_events
from l1distill.data.splits import Split
import l1distill.core.workspace

def read(objects):
    return sum(float(objects[i:i + 4096, :, :3].sum()) for i in range(0, len(objects), 4096))

def resident():
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024

folder = Path(sys.argv[1])
before, start = resident(), time.process_time()
"""
EPILOGUE = """
print(time.process_time() - start, resident() - before)
"""
ROWS = {
    "this platform, a stage: hash checked, mapped": """
dataset = open_dataset(folder)
sample = dataset.sample("background")
for split in Split:
    read(sample.part(split))
""",
    "this platform, mapped, no hash": 'read(read_events(folder / "background.h5").objects)',
    "HDF5 float64 contiguous, read whole": 'read(h5py.File(folder / "plain.h5")["Particles"][:])',
    "HDF5 float64 gzip, as published": 'read(h5py.File(folder / "gzip.h5")["Particles"][:])',
}


def make(folder: Path, events: int) -> None:
    """Write the same events in each format."""
    rng = np.random.default_rng(0)
    objects = rng.exponential(30.0, (events, 19, 3)).astype(np.float32)
    objects[rng.random((events, 19)) < 0.8] = 0.0
    path = folder / "background.h5"
    counts = write_events(path, Events(objects=objects))
    files = {"background": FileCard(**counts, sha256=file_sha256(path))}
    write_card(
        folder, Card(dataset="", settings={}, versions={}, files=files, checks={}, missing=[])
    )
    particles = np.zeros((events, 19, 4))
    particles[..., :3] = objects
    for name, options in (
        ("plain", {}),
        ("gzip", {"compression": "gzip", "chunks": (1000, 19, 4)}),
    ):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.create_dataset("Particles", data=particles, **options)


def measure(folder: Path, code: str) -> tuple[float, float]:
    """Run a row in a process of its own: CPU seconds and growth of anonymous memory [MiB]."""
    command = [sys.executable, "-c", PROLOGUE + code + EPILOGUE, str(folder)]
    best = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(3)]
    return min(tuple(map(float, done.stdout.split())) for done in best)  # type: ignore[type-var]


def main() -> None:
    given = arguments()
    events = int(given[0]) if given else 1_000_000
    table = Table("format", "MB", "CPU-s", "events/CPU-s", "memory of its own, MiB")
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        make(folder, events)
        files = ("background.h5", "background.h5", "plain.h5", "gzip.h5")
        for (label, code), file in zip(ROWS.items(), files, strict=True):
            seconds, memory = measure(folder, code)
            size = (folder / file).stat().st_size / 1e6
            table.add_row(
                label, f"{size:.0f}", f"{seconds:.3f}", f"{events / seconds:,.0f}", f"{memory:.0f}"
            )
    target = f"target: 1,000,000 events in less than {TARGET_S} CPU-s, at most one copy in memory"
    show("reading", table, [f"{events:,} events; {target}"])


if __name__ == "__main__":
    main()

"""How a data set is cut into shards: pieces of work that depend on nothing but the settings."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from l1distill.tasks.anomaly.events import PROCESSES, SIGNALS
from l1distill.tasks.anomaly.generator.processes import SAMPLES, mix_counts
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings

_AFTER_THE_SHARDS = ("generate.py", "checks.py")  # modules that shape no shard


class Shard(NamedTuple):
    """A piece of one process.

    Attributes:
        sample: Process or signal.
        number: Number of the shard within the process.
        events: Accepted events to make.
        seed: Its own seed.
    """

    sample: str
    number: int
    events: int
    seed: int

    @property
    def name(self) -> str:
        """File name without suffix."""
        return f"{self.sample}-{self.number:05d}"

    @property
    def cost(self) -> float:
        """Expected CPU time in units of the quickest process's event."""
        return self.events * SAMPLES[self.sample].cost


def sample_counts(settings: GeneratorSettings) -> dict[str, int]:
    """Gives the number of events of each process and signal."""
    counts = mix_counts(settings.background)
    return counts | dict.fromkeys(SIGNALS, settings.signal)


def plan_shards(settings: GeneratorSettings) -> list[Shard]:
    """Cuts each process into shards of about equal CPU time and gives each its seed."""
    shards = []
    counts = sample_counts(settings)
    for sample in PROCESSES + SIGNALS:
        size = max(10, round(settings.shard / SAMPLES[sample].cost))
        for number, start in enumerate(range(0, counts[sample], size)):
            events = min(size, counts[sample] - start)
            shards.append(Shard(sample, number, events, derive_seed(settings, sample, number)))
    return shards


def derive_seed(settings: GeneratorSettings, purpose: str, index: int) -> int:
    """Derives a seed that no other purpose shares.

    Args:
        settings: Holds the data set's seed.
        purpose: What the seed is for.
        index: Number within the purpose.
    """
    word = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "little")
    sequence = np.random.SeedSequence([settings.seed, word, index])
    return int(sequence.generate_state(1, np.uint64)[0])


def fingerprint(settings: GeneratorSettings, versions: dict[str, str]) -> str:
    """Names the folder of shards.

    Other settings, other packages or another source of what makes a shard never reuse its shards:
    half of a data set from before a change and half from after it would go unnoticed.
    """
    digest = hashlib.sha256(settings.model_dump_json().encode())
    digest.update(repr(sorted(versions.items())).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        if source.name not in _AFTER_THE_SHARDS:
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]

"""The jobs that a data set is made of: stocks and shards, which depend on the settings alone."""

from dataclasses import dataclass
from typing import Literal

from l1distill.simulation import jobs
from l1distill.tasks.anomaly.events import PROCESSES, SIGNALS
from l1distill.tasks.anomaly.generator.processes import SAMPLES, mix_counts
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings

StockName = Literal["pileup", "underlying", "decays"]

# CPU time in units of an accepted event of the quickest process (benchmarks/generator.py), for
# the time left; the costs of events are those of processes.py.
_COST_OF_ENTRY: dict[StockName, float] = {"pileup": 0.5, "underlying": 0.9, "decays": 0.06}
_COST_OF_START = 50.0  # PYTHIA's initialization


@dataclass(frozen=True, kw_only=True)
class Stock:
    """A pool of collisions or a library of decays, made before all shards.

    Attributes:
        stock: What it holds.
        size: Number of its entries.
        seed: Its own seed.
    """

    stock: StockName
    size: int
    seed: int

    @property
    def name(self) -> str:
        """File name without suffix."""
        return f"stock-{self.stock}"

    @property
    def sample(self) -> str:
        """What it makes."""
        return self.stock

    @property
    def events(self) -> int:
        """Events of the data set that it holds: none."""
        return 0

    @property
    def cost(self) -> float:
        """Expected CPU time in units of the quickest process's event."""
        return _COST_OF_START + self.size * _COST_OF_ENTRY[self.stock]


@dataclass(frozen=True, kw_only=True)
class Shard(jobs.SampleShard):
    """A piece of one process or signal; its events are accepted ones."""

    @property
    def cost(self) -> float:
        """Expected CPU time in units of the quickest process's event."""
        return _COST_OF_START + self.events * SAMPLES[self.sample].cost


Job = Stock | Shard


def sample_counts(settings: GeneratorSettings) -> dict[str, int]:
    """Return the number of events of each process and signal."""
    counts = mix_counts(settings.background)
    return counts | dict.fromkeys(SIGNALS, settings.signal)


def plan_stocks(settings: GeneratorSettings) -> list[Stock]:
    """List what has to be made before any shard."""
    sizes: dict[StockName, int] = {"pileup": settings.pool_size, "decays": settings.pool_size}
    if settings.mpi == "overlay":
        # what little an underlying event shows is seldom recognized: half as many will do
        sizes["underlying"] = max(settings.pool_size // 2, 10)
    return [
        Stock(stock=stock, size=size, seed=derive_seed(settings, f"stock-{stock}", 0))
        for stock, size in sizes.items()
    ]


def plan_shards(settings: GeneratorSettings) -> list[Shard]:
    """Divide each process into shards of about equal CPU time and give each its seed."""
    shards = []
    counts = sample_counts(settings)
    for sample in PROCESSES + SIGNALS:
        size = max(10, round(settings.shard / SAMPLES[sample].cost))
        for number, events in jobs.divide(counts[sample], size):
            shards.append(
                Shard(
                    sample=sample,
                    number=number,
                    events=events,
                    seed=derive_seed(settings, sample, number),
                )
            )
    return shards


def total_events(settings: GeneratorSettings) -> int:
    """Return the number of events of the whole data set."""
    return sum(sample_counts(settings).values())


def total_cost(settings: GeneratorSettings) -> float:
    """Return the expected CPU time of all jobs, in units of the quickest process's event."""
    everything: list[Job] = [*plan_stocks(settings), *plan_shards(settings)]
    return sum(job.cost for job in everything)


def derive_seed(settings: GeneratorSettings, purpose: str, index: int) -> int:
    """Derive a seed of the data set's; see :func:`.jobs.derive_seed`."""
    return jobs.derive_seed(settings.seed, purpose, index)


def fingerprint(settings: GeneratorSettings, versions: dict[str, str]) -> str:
    """Hash all that shapes stocks and shards; see :func:`.jobs.fingerprint`."""
    module = "l1distill.tasks.anomaly.generator.shard"
    return jobs.fingerprint(settings.model_dump_json(), versions, module)

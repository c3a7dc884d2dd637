"""The samples of the pileup data set, and the jobs that they are made in."""

from dataclasses import dataclass

from l1distill.simulation import jobs
from l1distill.simulation.pythia import Process
from l1distill.tasks.pileup.dataset import TEST, TRAINING
from l1distill.tasks.pileup.generator.settings import GeneratorSettings

COLLISION_ENERGY = 14_000.0
"""Energy of the proton-proton collisions [GeV]."""
SAMPLES = (TRAINING, TEST)
# CPU time, in units of an event without pileup
_COST_OF_COLLISION = 0.03
_COST_OF_ENTRY = 0.4
_COST_OF_START = 60.0


@dataclass(frozen=True, kw_only=True)
class PoolJob:
    """The pool of inelastic collisions, made before all shards.

    Attributes:
        size: Number of its entries.
        seed: Its own seed.
    """

    size: int
    seed: int

    @property
    def name(self) -> str:
        """File name without suffix."""
        return "pool"

    @property
    def sample(self) -> str:
        """What it makes."""
        return self.name

    @property
    def events(self) -> int:
        """Events of the data set that it holds: none."""
        return 0

    @property
    def cost(self) -> float:
        """Expected CPU time in units of an event without pileup."""
        return _COST_OF_START + self.size * _COST_OF_ENTRY


@dataclass(frozen=True, kw_only=True)
class Shard(jobs.SampleShard):
    """A piece of a sample.

    Attributes:
        pileup: mean number of collisions overlaid.
    """

    pileup: float

    @property
    def cost(self) -> float:
        """Expected CPU time in units of an event without pileup."""
        return _COST_OF_START + self.events * (1.0 + self.pileup * _COST_OF_COLLISION)


Job = PoolJob | Shard


def process_of(sample: str, settings: GeneratorSettings) -> Process:
    """Return the PYTHIA process of a sample; multi-parton interactions are on."""
    leptonic = ("24:onMode = off", "24:onIfAny = 11 13 15")
    if sample == TRAINING:
        return Process(
            commands=(
                "WeakBosonAndParton:qqbar2Wg = on",
                "WeakBosonAndParton:qg2Wq = on",
                f"PhaseSpace:pTHatMin = {settings.w_pt_hat_min}",
                *leptonic,
            )
        )
    return Process(commands=("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *leptonic))


def plan_pool(settings: GeneratorSettings) -> PoolJob:
    """Return the job that makes the pool."""
    return PoolJob(size=settings.pool, seed=jobs.derive_seed(settings.seed, "pool", 0))


def plan_shards(settings: GeneratorSettings) -> list[Shard]:
    """Divide both samples into shards and give each its seed."""
    counts = {TRAINING: settings.train, TEST: settings.test}
    return [
        Shard(
            sample=sample,
            number=number,
            events=events,
            seed=jobs.derive_seed(settings.seed, sample, number),
            pileup=settings.pileup,
        )
        for sample in SAMPLES
        for number, events in jobs.divide(counts[sample], settings.shard)
    ]


def total_cost(settings: GeneratorSettings) -> float:
    """Return the expected CPU time of all jobs, in units of an event without pileup."""
    return plan_pool(settings).cost + sum(shard.cost for shard in plan_shards(settings))


def fingerprint(settings: GeneratorSettings, versions: dict[str, str]) -> str:
    """Hash all that shapes the files of jobs; see :func:`.jobs.fingerprint`."""
    module = "l1distill.tasks.pileup.generator.shard"
    return jobs.fingerprint(settings.model_dump_json(), versions, module)

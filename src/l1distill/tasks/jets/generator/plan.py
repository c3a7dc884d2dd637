"""The samples of the jets data set, and the shards that they are made in."""

from dataclasses import dataclass

from l1distill.simulation import jobs
from l1distill.simulation.pythia import Process
from l1distill.tasks.jets.generator.settings import GeneratorSettings

COLLISION_ENERGY = 14_000.0
"""Energy of the proton-proton collisions [GeV]."""
SAMPLES = ("qcd", "h_bb")
"""Background and signal; the index is the label of a jet."""
SIGNAL = "h_bb"
# Smallest pT-hat [GeV] that leaves jets above 250 GeV as they are: with multi-parton interactions
# softer scatters reach the threshold too.
_PT_HAT_SIGNAL, _PT_HAT_QCD, _PT_HAT_QCD_MPI = 240.0, 230.0, 200.0
_COST = {"qcd": 1.0, "h_bb": 1.5}  # CPU time of a jet
_COST_OF_START = 100.0


@dataclass(frozen=True, kw_only=True)
class Shard(jobs.SampleShard):
    """A piece of ``qcd`` or ``h_bb``; its events are jets."""

    @property
    def cost(self) -> float:
        """Expected CPU time in units of a QCD jet."""
        return _COST_OF_START + self.events * _COST[self.sample]


def process_of(sample: str, settings: GeneratorSettings) -> Process:
    """Return the PYTHIA process of a sample."""
    if sample == SIGNAL:
        commands: tuple[str, ...] = (
            "HiggsSM:qg2Hq = on",
            f"PhaseSpace:pTHatMin = {_PT_HAT_SIGNAL}",
            "25:onMode = off",
            "25:onIfMatch = 5 -5",
        )
    else:
        pt_hat = _PT_HAT_QCD_MPI if settings.mpi == "full" else _PT_HAT_QCD
        commands = ("HardQCD:all = on", f"PhaseSpace:pTHatMin = {pt_hat}")
    process = Process(commands=commands)
    return process if settings.mpi == "full" else process.without_mpi()


def plan_shards(settings: GeneratorSettings) -> list[Shard]:
    """Divide both samples into shards and give each its seed."""
    return [
        Shard(
            sample=sample,
            number=number,
            events=events,
            seed=jobs.derive_seed(settings.seed, sample, number),
        )
        for sample in SAMPLES
        for number, events in jobs.divide(settings.jets_per_class, settings.shard)
    ]


def total_cost(settings: GeneratorSettings) -> float:
    """Return the expected CPU time of all shards, in units of a QCD jet."""
    return sum(shard.cost for shard in plan_shards(settings))


def fingerprint(settings: GeneratorSettings, versions: dict[str, str]) -> str:
    """Hash all that shapes shards; see :func:`.jobs.fingerprint`."""
    module = "l1distill.tasks.jets.generator.shard"
    return jobs.fingerprint(settings.model_dump_json(), versions, module)

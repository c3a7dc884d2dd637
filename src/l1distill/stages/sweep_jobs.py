"""The jobs of a sweep: the overrides of each, one for each combination of the values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from l1distill.stages.composition import quote_types
from l1distill.stages.job_names import job_name


@dataclass(frozen=True, kw_only=True)
class SweepJob:
    """A job of a sweep.

    Attributes:
        words: its overrides.
        varied: those that tell it from the other jobs, by key.
    """

    words: Sequence[str]
    varied: Mapping[str, str]

    @property
    def name(self) -> str:
        """What tells it from the others, as a folder may be called."""
        return job_name(self.varied)


def jobs_of(
    words: Sequence[str], params: Mapping[str, str] = MappingProxyType({})
) -> list[SweepJob]:
    """Return the jobs of a sweep in their order.

    Args:
        words: the overrides as they were given, some with several values.
        params: what an experiment sweeps, by key; the command line may give one value instead.

    Raises:
        HydraException: an override cannot be read.
    """
    parser = OverridesParser.create()
    given = parser.parse_overrides([quote_types(word) for word in words])
    keys = {one.get_key_element() for one in given}
    own = [f"{key}={value}" for key, value in params.items() if key not in keys]
    swept = [one.get_key_element() for one in given if one.is_sweep_override()]
    varying = list(dict.fromkeys([*params, *swept]))
    (batch,) = BasicSweeper.split_arguments([*parser.parse_overrides(own), *given], None)
    jobs = []
    for overrides in batch:
        values = dict(_split(word) for word in overrides)
        varied = {key: values[key] for key in varying}
        jobs.append(SweepJob(words=list(overrides), varied=varied))
    return jobs


def _split(word: str) -> tuple[str, str]:
    key, _, value = word.partition("=")
    return key, value

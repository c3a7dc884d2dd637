"""Refusals of students that know a trained teacher by its answers alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from l1distill.core.errors import ConfigError
from l1distill.distillation.settings import DistillationSettings


@dataclass(frozen=True, kw_only=True)
class Demand:
    """A setting that may ask for more than can be given.

    Attributes:
        setting: as it is, ``key=value``.
        refused: whether it asks for too much.
        instead: an override that does not.
    """

    setting: str
    refused: bool
    instead: str


def check_answers_alone(
    distillation: DistillationSettings,
    others: Sequence[Demand],
    because: str,
    or_else: str = "",
) -> None:
    """Refuse what asks for more than the answers of a trained teacher, each as far as any other.

    Args:
        distillation: what is learned, and how.
        others: further settings.
        because: what is possible; follows the setting in the message.
        or_else: another way out than to change every setting that is refused.

    Raises:
        ConfigError: the line names the first setting that is refused, and what to write in place
            of it and of all others that would be.
    """
    refused = [one for one in [*others, *_demands(distillation)] if one.refused]
    if not refused:
        return
    ways = [" ".join(one.instead for one in refused), *([or_else] if or_else else [])]
    raise ConfigError(f"{refused[0].setting}: {because}; take {', or '.join(ways)}")


def _demands(distillation: DistillationSettings) -> list[Demand]:
    response = distillation.response
    return [
        Demand(
            setting=f"distillation.scheme={distillation.scheme}",
            refused=distillation.scheme != "offline",
            instead="distillation.scheme=offline",
        ),
        Demand(
            setting=f"distillation.response.high_from={response.high_from}",
            refused=response.high_from is not None,
            instead="distillation.response.high_from=null",
        ),
        Demand(
            setting=f"distillation.beta={distillation.beta:g}",
            refused=distillation.beta != 0,
            instead="distillation.beta=0",
        ),
        Demand(
            setting=f"distillation.pt_cap_gev={distillation.pt_cap_gev}",
            refused=distillation.pt_cap_gev is not None,
            instead="distillation.pt_cap_gev=null",
        ),
        *(
            Demand(
                setting=f"distillation.{kind}.weight={getattr(distillation, kind).weight:g}",
                refused=True,
                instead=f"distillation.{kind}.weight=0",
            )
            for kind in distillation.of_network
        ),
    ]

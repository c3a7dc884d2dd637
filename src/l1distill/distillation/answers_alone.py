"""Refusals of students that know a trained teacher by its answers alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from l1distill.core.errors import ConfigError
from l1distill.distillation.settings import DistillationSettings


@dataclass(frozen=True, kw_only=True)
class Demand:
    """A setting of which one value alone can be given.

    Attributes:
        key: of the setting.
        value: as it is.
        possible: the value that can be given.
        instead: the override that gives it, where that is not ``key=possible``.
    """

    key: str
    value: object
    possible: object
    instead: str = ""

    @property
    def refused(self) -> bool:
        """Whether it asks for too much."""
        return self.value != self.possible

    @property
    def setting(self) -> str:
        """The override that it is."""
        return _override(self.key, self.value)

    @property
    def way_out(self) -> str:
        """The override that can be given."""
        return self.instead or _override(self.key, self.possible)


def _override(key: str, value: object) -> str:
    if value is None:
        return f"{key}=null"
    if isinstance(value, bool):
        return f"{key}={str(value).lower()}"
    return f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"


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
    ways = [" ".join(one.way_out for one in refused), *([or_else] if or_else else [])]
    raise ConfigError(f"{refused[0].setting}: {because}; take {', or '.join(ways)}")


def _demands(distillation: DistillationSettings) -> list[Demand]:
    response = distillation.response
    only = {
        "scheme": (distillation.scheme, "offline"),
        "response.high_from": (response.high_from, None),
        "beta": (distillation.beta, 0),
        "pt_cap_gev": (distillation.pt_cap_gev, None),
        **{
            f"{kind}.weight": (getattr(distillation, kind).weight, 0)
            for kind in distillation.of_network
        },
    }
    return [
        Demand(key=f"distillation.{key}", value=value, possible=possible)
        for key, (value, possible) in only.items()
    ]

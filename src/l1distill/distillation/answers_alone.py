"""Refusals of students that know a trained teacher by its answers alone."""

from collections.abc import Mapping

from l1distill.core.errors import ConfigError
from l1distill.distillation.settings import DistillationSettings


def check_answers_alone(
    distillation: DistillationSettings, others: Mapping[str, bool], because: str
) -> None:
    """Refuse what asks for more than the answers of a trained teacher, each as far as any other.

    Args:
        distillation: what is learned, and how.
        others: further settings, as ``key=value``, and whether they are refused.
        because: follows the setting in the message: why, and the way out.

    Raises:
        ConfigError: the line names the first setting that is refused.
    """
    response = distillation.response
    refused = {
        **others,
        f"distillation.scheme={distillation.scheme}": distillation.scheme != "offline",
        f"distillation.response.high_from={response.high_from}": response.high_from is not None,
        f"distillation.beta={distillation.beta:g}": distillation.beta != 0,
        f"distillation.pt_cap_gev={distillation.pt_cap_gev}": distillation.pt_cap_gev is not None,
        **{
            f"distillation.{kind}.weight={getattr(distillation, kind).weight:g}": True
            for kind in distillation.of_network
        },
    }
    for setting, is_refused in refused.items():
        if is_refused:
            raise ConfigError(f"{setting}: {because}")

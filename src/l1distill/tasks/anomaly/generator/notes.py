"""What a data card says about the simulation: its limitations, and findings about its choices.

``notes.json`` holds the sentences; its findings are what ``ablations.json`` says, the table that
``benchmarks/ablations.py`` measures, and are to be written anew with it.
"""

from pathlib import Path
from typing import Any

from l1distill.core.settings import Settings
from l1distill.data.card import Ablation
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings

ABLATIONS = Path(__file__).with_name("ablations.json")
_NOTES = Path(__file__).with_name("notes.json")


class AblationStudy(Settings):
    """What modeling choices do to an autoencoder's AUC, measured once."""

    settings: dict[str, Any]
    """The physics settings of the first entry; each of the others changes one thing."""
    ablations: list[Ablation]
    """One entry for each change; the first has none."""

    def applies_to(self, settings: GeneratorSettings) -> bool:
        """Return whether a data set is generated with the physics settings of the study."""
        return self.settings == settings.physics


class Notes(Settings):
    """Sentences about the simulation."""

    limitations: list[str]
    """What the simulation leaves out."""
    findings: list[str]
    """What the ablations say."""


def _notes() -> Notes:
    return Notes.model_validate_json(_NOTES.read_bytes())


def limitations() -> list[str]:
    """Return what the simulation leaves out, one sentence each."""
    return _notes().limitations


def ablation_findings(settings: GeneratorSettings) -> tuple[list[Ablation], list[str]]:
    """Return the ablation study and the findings that hold for a data set.

    Args:
        settings: How the data set is generated.

    Returns:
        The ablations and what they say, one sentence each; both empty if the study was made with
        other physics settings.
    """
    study = AblationStudy.model_validate_json(ABLATIONS.read_bytes())
    if not study.applies_to(settings):
        return [], []
    return study.ablations, _notes().findings

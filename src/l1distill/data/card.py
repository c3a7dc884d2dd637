"""The data card: what stands beside a data set, so that its files explain themselves."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from l1distill.core.dvc import way_back
from l1distill.core.errors import DataError, first_line
from l1distill.core.workspace import write_text

CARD_NAME = "card.json"
MADE_BY = "run generate again"
"""What gives a file of a data set anew, for messages."""


class SampleCard(BaseModel):
    """How one process of a data set came about.

    Attributes:
        events: Accepted events in the file.
        tried: Hard scatters that PYTHIA generated for them.
        acceptance: ``accepted / tried``, all accepted events of the shards counted.
        settings: PYTHIA's settings, one string a line.
        truth_mass: Mean mass of the process's resonance from generator truth [GeV], or None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: int
    tried: int
    acceptance: float
    settings: list[str]
    truth_mass: float | None


class FileCard(BaseModel):
    """What a file of a data set holds.

    Attributes:
        train: Events to learn from; they stand first.
        test: Events to measure with; they follow.
        validation: Events that decide when to stop; they stand last.
        sha256: The file's hash.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: int
    test: int
    validation: int
    sha256: str

    @property
    def events(self) -> int:
        """Events in all."""
        return self.train + self.test + self.validation


class SourceCard(BaseModel):
    """A file that events were imported from.

    Attributes:
        sample: The sample that they went to.
        file: The file's name, without folders.
        sha256: Its hash, or None for a file that is not on this machine.
        events: Events taken from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample: str
    file: str
    sha256: str | None
    events: int


class Ablation(BaseModel):
    """What one modeling choice does to the AUC of an autoencoder (``benchmarks/ablations.py``).

    Attributes:
        change: What differs from the data set as shipped.
        train: Background events that the autoencoder was trained on.
        auc: Signal to AUC.
        auc_error: Signal to the AUC's standard error.
        jets_per_event: Mean number of jets in the background.
        met_mean_gev: Mean missing transverse energy of the background.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    change: str
    train: int
    auc: dict[str, float]
    auc_error: dict[str, float]
    jets_per_event: float
    met_mean_gev: float


class Card(BaseModel):
    """Describes a data set: where it comes from, what was checked, what it lacks.

    Attributes:
        dataset: Name of the data set's kind.
        settings: The generator's settings.
        versions: Version of each package that shapes the events.
        files: Sample, background first, to what its file holds.
        samples: Process or signal name to how it was generated; empty for files from elsewhere.
        sources: Where imported events came from; empty for generated ones.
        checks: Figures that a reader can hold against physics; names carry the unit.
        missing: What the simulation leaves out, one sentence each.
        ablations: What modeling choices do to an autoencoder's AUC, measured once on data sets of
            the size that they name, the first as shipped.
        findings: What the ablations say, one sentence each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    settings: dict[str, Any]
    versions: dict[str, str]
    files: dict[str, FileCard]
    samples: dict[str, SampleCard] = {}
    sources: list[SourceCard] = []
    checks: dict[str, float]
    missing: list[str]
    ablations: list[Ablation] = []
    findings: list[str] = []


def write_card(folder: Path, card: Card) -> None:
    """Writes ``card.json`` into a folder, all or nothing."""
    write_text(folder / CARD_NAME, card.model_dump_json(indent=2) + "\n")


def read_card(folder: Path) -> Card:
    """Reads the ``card.json`` of a data set's folder.

    Raises:
        DataError: If it is missing or is not a data card.
    """
    path = folder / CARD_NAME
    try:
        return Card.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no data card; {way_back(path, MADE_BY)}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: not a data card ({first_line(error)}); "
            f"{way_back(path, MADE_BY, damaged=True)}"
        ) from error

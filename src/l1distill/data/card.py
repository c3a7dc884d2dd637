"""The data card: what stands beside a data set, so that its files explain themselves."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from l1distill.errors import InputError

CARD_NAME = "card.json"


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


class Card(BaseModel):
    """Describes a data set: where it comes from, what was checked, what it lacks.

    Attributes:
        dataset: Name of the data set's kind.
        settings: The generator's settings.
        versions: Version of each package that shapes the events.
        files: File name to number of events.
        md5: File name to MD5 sum.
        samples: Process or signal name to how it came about.
        checks: Figures that a reader can hold against physics; names carry the unit.
        missing: What the simulation leaves out, one sentence each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    settings: dict[str, Any]
    versions: dict[str, str]
    files: dict[str, int]
    md5: dict[str, str]
    samples: dict[str, SampleCard]
    checks: dict[str, float]
    missing: list[str]


def file_md5(path: Path) -> str:
    """Computes a file's MD5 sum, an identifier and no protection."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def write_card(folder: Path, card: Card) -> None:
    """Writes ``card.json`` into a folder, all or nothing."""
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{CARD_NAME}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(card.model_dump_json(indent=2) + "\n")
        Path(temporary).chmod(0o644)
        Path(temporary).replace(folder / CARD_NAME)
    finally:
        Path(temporary).unlink(missing_ok=True)


def read_card(folder: Path) -> Card:
    """Reads the ``card.json`` of a data set's folder.

    Raises:
        InputError: If it is missing or is not a data card.
    """
    path = folder / CARD_NAME
    try:
        return Card.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no data card; generate the data set again") from None
    except (ValidationError, UnicodeDecodeError) as error:
        what = str(error).splitlines()[0]
        raise InputError(f"{path}: not a data card ({what}); generate the data set again") from None

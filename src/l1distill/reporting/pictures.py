"""Pictures with captions, as a stage leaves them for a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from l1distill.core.workspace import read_json, write_json

FILE = "captions.json"
"""Lists the pictures of a stage's folder, beside them in ``plots/``."""
FOLDER = "plots"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A PNG file and what it shows."""

    caption: str
    path: Path


def write_captions(pictures: Sequence[Picture], folder: Path) -> None:
    """Write which of the pictures in ``folder/plots`` a report shows, in order."""
    (folder / FOLDER).mkdir(exist_ok=True)
    entries = [[picture.path.name, picture.caption] for picture in pictures]
    write_json(folder / FOLDER / FILE, {"pictures": entries})


def read_captions(folder: Path) -> list[Picture]:
    """Return the pictures that :func:`write_captions` listed.

    Raises:
        DataError: the list is missing or damaged.
    """
    plots = folder / FOLDER
    entries = read_json(plots / FILE)["pictures"]
    return [Picture(caption=caption, path=plots / name) for name, caption in entries]

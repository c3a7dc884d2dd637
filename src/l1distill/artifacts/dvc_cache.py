"""Read an output of the pipeline from DVC's cache, where it is not checked out."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from l1distill.core.dvc import LOCK, locked_outputs
from l1distill.core.errors import DataError

CACHE = Path(".dvc/cache/files/md5")
"""Where DVC keeps files by their MD5, unless it was configured otherwise."""


@contextmanager
def checked_out(folder: Path) -> Iterator[Path]:
    """Give a folder of the pipeline as it is, or from DVC's cache where it is not there.

    Args:
        folder: an output of ``dvc.lock``, relative to the working directory.

    Yields:
        The folder itself, or one of links into the cache, which is removed afterwards.

    Raises:
        DataError: it is neither there nor in the cache, or a file in the cache is damaged.
    """
    if folder.exists():
        yield folder
        return
    files = _locked_files(folder)
    with TemporaryDirectory(prefix="l1distill-cache-") as name:
        target = Path(name) / folder.name
        for file, md5 in files.items():
            link = target / file
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(_cached(md5).resolve())
        yield target


def _locked_files(folder: Path) -> dict[str, str]:
    """Return the MD5 of each file of an output by its relative path.

    Raises:
        DataError: ``dvc.lock`` has no such folder, or the cache has no list of its files.
    """
    try:
        output = locked_outputs(Path(LOCK)).get(folder, {})
    except DataError as error:
        raise DataError(
            f"{folder}: no such folder, and {LOCK} cannot be read; run the stage that writes it"
        ) from error
    md5 = str(output.get("md5", ""))
    if md5.endswith(".dir"):
        listing = json.loads(_cached(md5).read_text(encoding="utf-8"))
        return {entry["relpath"]: entry["md5"] for entry in listing}
    raise DataError(f"{folder}: no such folder; run the stage that writes it first")


def _cached(md5: str) -> Path:
    """Return a file of the cache, whose content is held against its name.

    Raises:
        DataError: it is missing or damaged.
    """
    path = CACHE / md5[:2] / md5[2:]
    if not path.is_file():
        raise DataError(f"{path}: not in DVC's cache; run dvc fetch")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5.removesuffix(".dir"):
        raise DataError(f"{path}: damaged; remove it and run dvc fetch")
    return path

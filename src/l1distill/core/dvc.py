"""Say how to get back a file that is missing or damaged: from DVC where it knows the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l1distill.core.errors import DataError

LOCK = "dvc.lock"


def way_back(path: Path, again: str, *, damaged: bool = False) -> str:
    """Return the way out for a file that is missing or damaged, as the end of a message.

    Args:
        path: the file or folder.
        again: what makes it anew, as ``run teacher again``.
        damaged: whether it is there: it is removed first, as DVC may take it for its own.
    """
    if not is_tracked(path):
        return again
    return f"{'remove it and ' if damaged else ''}run dvc pull, or {again}"


def is_tracked(path: Path) -> bool:
    """Return whether DVC has a path in its care, by a ``dvc.lock`` above it or a ``.dvc`` file."""
    path = path.absolute()
    for place in (path, *path.parents):
        if (place.parent / f"{place.name}.dvc").is_file():
            return True
        if (place / LOCK).is_file():
            inside = path.relative_to(place)
            try:
                outputs = locked_outputs(place / LOCK)
            except DataError:
                return False
            return any(inside.is_relative_to(output) for output in outputs)
    return False


def locked_outputs(lock: Path) -> dict[Path, Mapping[str, Any]]:
    """Return the outputs of a ``dvc.lock``: the path of each, and what it says of it.

    Raises:
        DataError: it is missing or cannot be read.
    """
    import yaml

    try:
        stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"].values()
        return {Path(out["path"]): out for stage in stages for out in stage.get("outs", ())}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{lock}: cannot be read; run git checkout {lock}") from error

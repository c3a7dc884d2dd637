"""Say how to get back a file that is missing or damaged: from DVC where it knows the file."""

from pathlib import Path

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
            return any(inside.is_relative_to(out) for out in _outputs(place / LOCK))
    return False


def _outputs(lock: Path) -> list[str]:
    import yaml

    try:
        stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"].values()
        return [str(out["path"]) for stage in stages for out in stage.get("outs", ())]
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return []
